# lmcache · SPDX-License-Identifier: Apache-2.0
"""The connector of SGLang 0.5.13 to 0.5.20 against a scripted server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from fake_pool import CHUNK
from fake_server import SILENCE, FakeServer, Refusal
from sglang_stage import SLOTS, FakeCache, layers, make_server, model, port_of
from waiting import eventually

from lmcache.integration.sglang.multi_process_adapter import LMCacheMPConnector
from lmcache.integration.sglang.sglang_adapter import LoadMetadata, StoreMetadata

PAGE = 4
HEARTBEAT = 0.1
LONGEST = 3.0
"""No call may take longer, whatever the server does: twice `2 * HEARTBEAT + 1`, and some."""


class Engine:
    def __init__(self, server: FakeServer, page: int = PAGE, **changes: Any) -> None:
        self.keys, self.values = layers(1), layers(2)
        self.connector = LMCacheMPConnector(
            **{
                "sgl_config": model(),
                "tp_size": 1,
                "rank": 0,
                "page_size": page,
                "host": "127.0.0.1",
                "port": port_of(server),
                "k_pool": self.keys,
                "v_pool": self.values,
                "mq_timeout": 5.0,
                "heartbeat_interval": HEARTBEAT,
                **changes,
            }
        )

    def store(self, name: str, tokens: list[int], first: int, node: Any = None) -> None:
        slots = torch.arange(first, first + len(tokens), dtype=torch.int32)
        self.connector.store_kv(StoreMetadata(node, tokens, slots, 0, name))
        self.connector.end_session(name)

    def load(self, name: str, tokens: list[int], local: int, first: int) -> int:
        """Loads all that is found beyond `local` tokens into slots from `first` on."""
        pad = local % CHUNK
        mapping = torch.cat([torch.full((local,), -1), torch.arange(first, first + len(tokens) - local)])
        return self.connector.retrieve_kv(LoadMetadata(tokens, mapping, local - pad, pad, name))

    def rows(self, first: int, count: int) -> list[torch.Tensor]:
        return [layer[first : first + count].clone() for layer in self.keys + self.values]


@pytest.fixture
def stage() -> Iterator[tuple[FakeServer, FakeCache, Engine]]:
    server, cache = make_server()
    engine = Engine(server)
    yield server, cache, engine
    engine.connector.close()
    server.stop()
    cache.remove()


def same(found: list[torch.Tensor], expected: list[torch.Tensor]) -> bool:
    return all(torch.equal(left, right) for left, right in zip(found, expected, strict=True))


def test_registers_pages_of_all_layers(stage: tuple[FakeServer, FakeCache, Engine]) -> None:
    _, cache, engine = stage
    assert engine.connector.chunk_size() == CHUNK
    (registration,) = cache.registrations
    assert (registration["block_size"], registration["num_layers"], registration["world_size"]) == (PAGE, 4, 1)


def test_bytes_come_back_behind_what_the_engine_has(stage: tuple[FakeServer, FakeCache, Engine]) -> None:
    _, cache, engine = stage
    tokens = list(range(3 * CHUNK + 5))
    engine.store("a", tokens, 8)
    stored = engine.rows(8, 3 * CHUNK)
    assert len(cache.stored) == 3
    assert engine.connector.lookup_kv(tokens, "b") == 3 * CHUNK
    before = engine.rows(0, SLOTS)
    local = CHUNK + PAGE
    assert engine.load("b", tokens, local, 100) == 2 * CHUNK
    assert same(engine.rows(100, 3 * CHUNK - local), [rows[local:] for rows in stored])
    after = engine.rows(0, SLOTS)
    count = 3 * CHUNK - local
    for left, right in zip(before, after, strict=True):
        assert torch.equal(left[:100], right[:100]) and torch.equal(left[100 + count :], right[100 + count :])


def test_leases_are_given_back(stage: tuple[FakeServer, FakeCache, Engine]) -> None:
    server, _, engine = stage
    tokens = list(range(2 * CHUNK))
    engine.store("a", tokens, 8)
    engine.connector.lookup_kv(tokens, "b")
    engine.connector.release_pending("b")
    engine.connector.release_pending("b")
    engine.connector.end_session("b")
    eventually(lambda: server.of("end_session")[-1:] == [["b"]])
    assert [(key["start"], key["end"]) for key, _ in server.of("free_lookup_locks")] == [(0, 2 * CHUNK)]
    assert engine.load("b", tokens, 0, 100) == 0


def test_a_lookup_again_gives_the_first_one_up(stage: tuple[FakeServer, FakeCache, Engine]) -> None:
    server, _, engine = stage
    tokens = list(range(CHUNK))
    engine.store("a", tokens, 8)
    assert engine.connector.lookup_kv(tokens, "b") == CHUNK
    assert engine.connector.lookup_kv(tokens, "b") == CHUNK
    eventually(lambda: len(server.of("free_lookup_locks")) == 1)
    assert engine.load("b", tokens, 0, 100) == CHUNK


def test_short_prompts_ask_nothing(stage: tuple[FakeServer, FakeCache, Engine]) -> None:
    server, _, engine = stage
    assert engine.connector.lookup_kv(list(range(CHUNK - 1)), "a") == 0
    engine.store("a", list(range(CHUNK - 1)), 8)
    assert not server.of("lookup") and not server.of("prepare_store") and not server.of("end_session")


def test_what_sglang_keeps_apart_is_not_stored(stage: tuple[FakeServer, FakeCache, Engine]) -> None:
    _, cache, engine = stage
    node = SimpleNamespace(key=SimpleNamespace(extra_key="adapter"))
    engine.store("a", list(range(CHUNK)), 8, node)
    assert not cache.stored
    engine.store("a", list(range(CHUNK)), 8, SimpleNamespace(key=SimpleNamespace(extra_key=None)))
    assert cache.stored


@pytest.mark.parametrize("slots", [[0] * CHUNK, [9, *range(8, 8 + CHUNK - 1)], list(range(SLOTS, SLOTS + CHUNK))])
def test_slots_that_are_no_pages_are_not_stored(stage: tuple[FakeServer, FakeCache, Engine], slots: list[int]) -> None:
    server, _, engine = stage
    future = engine.connector.store_kv_async(StoreMetadata(None, list(range(CHUNK)), torch.tensor(slots), 0, "a"))
    assert future.query() and future.result() is False
    assert not server.of("prepare_store")


def test_slots_that_are_no_pages_are_not_loaded(stage: tuple[FakeServer, FakeCache, Engine]) -> None:
    _, _, engine = stage
    tokens = list(range(CHUNK))
    engine.store("a", tokens, 8)
    engine.connector.lookup_kv(tokens, "b")
    assert engine.load("b", tokens, 0, 101) == 0


@pytest.mark.parametrize("answer", [SILENCE, Refusal("error: no"), {"wrong": 1}])
@pytest.mark.parametrize("operation", ["lookup", "wait_prefetch_status", "prepare_retrieve", "prepare_store"])
def test_answers_that_are_none_cost_a_miss(operation: str, answer: Any) -> None:
    server, cache = make_server()
    engine = Engine(server, mq_timeout=1.0)
    try:
        tokens = list(range(2 * CHUNK))
        engine.store("a", tokens, 8)
        if operation == "lookup" and answer == {"wrong": 1}:
            return
        server.script[operation] = answer
        began = time.monotonic()
        found = engine.connector.lookup_kv(tokens, "b")
        loaded = engine.load("b", tokens, 0, 100) if found else 0
        engine.store("c", list(range(1000, 1000 + CHUNK)), 8)
        assert loaded == 0 or operation == "prepare_store"
        assert time.monotonic() - began < 2 * LONGEST
    finally:
        engine.connector.close()
        server.stop()
        cache.remove()


def test_a_dead_server_is_a_miss_and_a_new_one_gets_the_memory(stage: tuple[FakeServer, FakeCache, Engine]) -> None:
    server, cache, engine = stage
    tokens = list(range(2 * CHUNK))
    engine.store("a", tokens, 8)
    assert engine.connector.lookup_kv(tokens, "b") == 2 * CHUNK
    server.stop()
    began = time.monotonic()
    assert engine.load("b", tokens, 0, 100) == 0
    assert engine.connector.lookup_kv(tokens, "c") == 0
    engine.store("c", tokens, 8)
    engine.connector.end_session("c")
    assert time.monotonic() - began < 2 * LONGEST
    eventually(lambda: not engine.connector.is_healthy)
    began = time.monotonic()
    assert engine.connector.lookup_kv(tokens, "d") == 0
    engine.store("d", tokens, 8)
    assert time.monotonic() - began < 0.1
    server.start()
    eventually(lambda: engine.connector.is_healthy, 10)
    assert len(cache.registrations) == 2
    assert engine.connector.lookup_kv(tokens, "e") == 2 * CHUNK
    assert engine.load("e", tokens, 0, 100) == 2 * CHUNK


def test_a_server_that_forgot_gets_the_memory_at_once(stage: tuple[FakeServer, FakeCache, Engine]) -> None:
    server, cache, engine = stage
    assert engine.connector.is_healthy
    answers = iter([False])
    server.script["ping"] = lambda _: next(answers, True)
    eventually(lambda: len(cache.registrations) == 2)
    eventually(lambda: engine.connector.is_healthy)


def test_a_server_of_another_chunk_size_is_not_used(stage: tuple[FakeServer, FakeCache, Engine]) -> None:
    server, cache, engine = stage
    assert engine.connector.is_healthy
    server.script["get_chunk_size"] = 2 * CHUNK
    server.restart()
    eventually(lambda: not engine.connector.is_healthy)
    time.sleep(5 * HEARTBEAT)
    assert not engine.connector.is_healthy and len(cache.registrations) == 1
    assert engine.connector.lookup_kv(list(range(CHUNK)), "a") == 0


@pytest.mark.parametrize(
    ("changes", "error", "text"),
    [
        ({"page_size": 12}, ValueError, "12"),
        ({"page_size": 32}, ValueError, "chunk size 16"),
        ({"k_pool": []}, ValueError, "0 layers of keys"),
        ({"tp_size": 2}, ValueError, "tp_group"),
        ({"port": "x"}, ValueError, "mp_port"),
        ({"heartbeat_interval": 0}, ValueError, "heartbeat_interval"),
    ],
)
def test_what_cannot_work_is_refused_at_the_start(changes: dict[str, Any], error: type[Exception], text: str) -> None:
    server, cache = make_server()
    try:
        with pytest.raises(error, match=text):
            Engine(server, **changes)
    finally:
        server.stop()
        cache.remove()


def test_no_server_at_the_start_is_said_in_one_line() -> None:
    server, cache = make_server()
    server.stop()
    began = time.monotonic()
    with pytest.raises(ConnectionError, match="mp_host and mp_port") as caught:
        Engine(server, mq_timeout=0.5)
    assert "\n" not in str(caught.value) and time.monotonic() - began < LONGEST
    cache.remove()
