# lmcache · SPDX-License-Identifier: Apache-2.0
"""The connector of SGLang 0.5.21 to 0.5.23 against a scripted server."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from fake_pool import CHUNK
from fake_server import SILENCE, FakeServer, Refusal
from sglang_stage import (
    SLOTS,
    Component,
    FakeAllocator,
    FakeCache,
    layers,
    make_server,
    model,
    port_of,
    unified_arguments,
    write_config,
)
from waiting import eventually

from lmcache import native
from lmcache.integration.sglang.unified_lmcache_mp_connector import UnifiedLMCacheMPConnector

PAGE = 4
LONGEST = 3.0


class Engine:
    def __init__(self, arguments: dict[str, Any]) -> None:
        self.pool = arguments["token_to_kv_pool_allocator"].pool
        self.connector = UnifiedLMCacheMPConnector(**arguments)

    def store(self, name: str, tokens: list[int], first: int, start: int = 0) -> Any:
        """Stores what was not stored; the tokens from `start` on lie in slots from `first` on."""
        slots = torch.arange(first, first + len(tokens) // CHUNK * CHUNK - start)
        operation = self.connector.submit_store(
            name,
            tokens,
            self.connector.device_indices_by_group(slots),
            device_indices_start=start,
            cache_salt="",
        )
        if operation is not None:
            eventually(operation.query)
            assert self.connector.ready_prefix_count([operation]) == 1
            self.connector.complete_store(operation)
        return operation

    def find(self, name: str, tokens: list[int], salt: str = "") -> Any:
        operation = self.connector.submit_lookup(name, tokens, local_hit_tokens=0, cache_salt=salt)
        eventually(lambda: self.connector.poll_lookup(operation) is not None)
        return operation

    def load(self, operation: Any, local: int, first: int) -> bool:
        slots = torch.arange(first, first + operation.total_hit_tokens - local)
        load = self.connector.submit_load(
            operation,
            self.connector.device_indices_by_group(slots),
            local_hit_tokens=local,
            owned_device_indices=slots,
            producer_stream=None,
        )
        assert load.device_indices is slots and load.local_hit_tokens == local
        is_ready = self.connector.prepare_load_on_stream(load, None)
        if is_ready:
            assert load.query() and self.connector.complete_load(load)
        return is_ready

    def rows(self, first: int, count: int) -> list[torch.Tensor]:
        return [layer[first : first + count].clone() for layer in [*self.pool.k_buffer, *self.pool.v_buffer]]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[tuple[FakeServer, FakeCache, Engine]]:
    server, cache = make_server()
    engine = Engine(unified_arguments(write_config(tmp_path, port_of(server)), PAGE))
    yield server, cache, engine
    engine.connector.close()
    server.stop()
    cache.remove()


def same(found: list[torch.Tensor], expected: list[torch.Tensor]) -> bool:
    return all(torch.equal(left, right) for left, right in zip(found, expected, strict=True))


def test_a_request_from_lookup_to_end(stage: tuple[FakeServer, FakeCache, Engine]) -> None:
    server, cache, engine = stage
    tokens = list(range(3 * CHUNK + 7))
    assert engine.find("a", tokens).total_hit_tokens == 0
    operation = engine.store("a", tokens, 8)
    assert (operation.start, operation.end, operation.result) == (0, 3 * CHUNK, True)
    stored = engine.rows(8, 3 * CHUNK)
    engine.connector.finish_request("a")
    found = engine.find("b", tokens)
    assert found.total_hit_tokens == 3 * CHUNK and found.locks_held
    local = CHUNK + PAGE
    engine.connector.free_lookup_locks("b", 0, CHUNK)
    before = engine.rows(0, SLOTS)
    assert engine.load(found, local, 100)
    assert same(engine.rows(100, 3 * CHUNK - local), [rows[local:] for rows in stored])
    count = 3 * CHUNK - local
    for left, right in zip(before, engine.rows(0, SLOTS), strict=True):
        assert torch.equal(left[:100], right[:100]) and torch.equal(left[100 + count :], right[100 + count :])
    assert not found.locks_held and engine.connector.get_store_start("b", 4 * CHUNK) == 3 * CHUNK
    engine.connector.finish_request("b")
    eventually(lambda: [request for (request,) in server.of("end_session")] == ["a", "b"])
    assert cache.returned == [(CHUNK, 3 * CHUNK)]


def test_only_what_is_new_is_stored(stage: tuple[FakeServer, FakeCache, Engine]) -> None:
    _, cache, engine = stage
    tokens = list(range(3 * CHUNK))
    assert engine.store("a", tokens[: CHUNK + 3], 8).end == CHUNK
    assert engine.connector.get_store_start("a", 3 * CHUNK) == CHUNK
    second = engine.store("a", tokens, 8 + CHUNK, start=CHUNK)
    assert (second.start, second.end) == (CHUNK, 3 * CHUNK)
    assert engine.store("a", tokens, 8) is None
    assert len(cache.stored) == 3


def test_what_failed_is_stored_again(stage: tuple[FakeServer, FakeCache, Engine]) -> None:
    server, cache, engine = stage
    tokens = list(range(2 * CHUNK))
    commit = server.script["commit_store"]
    server.script["commit_store"] = False
    assert engine.store("a", tokens, 8).result is False
    assert engine.connector.get_store_start("a", 2 * CHUNK) == 0
    server.script["commit_store"] = commit
    cache.stored.clear()
    assert engine.store("a", tokens, 8).result is True


def test_a_failed_load_forgets_what_the_lookup_said(stage: tuple[FakeServer, FakeCache, Engine]) -> None:
    _, cache, engine = stage
    tokens = list(range(2 * CHUNK))
    engine.store("a", tokens, 8)
    found = engine.find("b", tokens)
    cache.stored.clear()
    before = engine.rows(0, SLOTS)
    assert not engine.load(found, 0, 100)
    assert same(engine.rows(0, SLOTS), before)
    assert not found.locks_held and engine.connector.get_store_start("b", 2 * CHUNK) == 0


@pytest.mark.parametrize(
    "slots",
    [
        torch.arange(101, 101 + 2 * CHUNK),
        torch.arange(100, 100 + CHUNK),
        torch.arange(SLOTS, SLOTS + 2 * CHUNK),
        torch.arange(100, 103),
    ],
)
def test_slots_that_do_not_fit_fail_and_touch_nothing(
    stage: tuple[FakeServer, FakeCache, Engine], slots: torch.Tensor
) -> None:
    _, _, engine = stage
    tokens = list(range(2 * CHUNK))
    engine.store("a", tokens, 8)
    before = engine.rows(0, SLOTS)
    load = engine.connector.submit_load(engine.find("b", tokens), [slots], local_hit_tokens=0)
    assert load.query() and not engine.connector.prepare_load_on_stream(load, None)
    assert same(engine.rows(0, SLOTS), before)
    assert (
        engine.connector.submit_store("c", list(range(900, 932)), [slots], device_indices_start=0, cache_salt="")
        is None
    )


def test_placeholders_are_not_stored(stage: tuple[FakeServer, FakeCache, Engine]) -> None:
    server, _, engine = stage
    slots = torch.cat([torch.zeros(PAGE, dtype=torch.int64), torch.arange(8, 8 + CHUNK - PAGE)])
    arguments: dict[str, Any] = {"device_indices_start": 0, "cache_salt": ""}
    assert engine.connector.submit_store("a", list(range(CHUNK)), [slots], **arguments) is None
    assert engine.connector.submit_store("a", list(range(CHUNK)), [slots, slots], **arguments) is None
    arguments["device_indices_start"] = CHUNK
    assert engine.connector.submit_store("a", list(range(CHUNK)), [slots], **arguments) is None
    assert not server.of("prepare_store")


def test_salts_reach_the_server(stage: tuple[FakeServer, FakeCache, Engine]) -> None:
    server, _, engine = stage
    salt = UnifiedLMCacheMPConnector.build_cache_salt
    assert (salt(None, None), salt("s", None), salt("s", "")) == ("", "s", "s")
    assert salt("s", "x") == hashlib.sha256(b"s\0x").hexdigest() and salt(None, "x") != salt("s", "x")
    engine.find("a", list(range(CHUNK)), "mine")
    assert server.of("lookup")[0][0]["cache_salt"] == "mine"
    assert engine.find("b", list(range(CHUNK)), "a/b").total_hit_tokens == 0
    assert len(server.of("lookup")) == 1


def test_leases_end_with_the_request(stage: tuple[FakeServer, FakeCache, Engine]) -> None:
    server, _, engine = stage
    tokens = list(range(2 * CHUNK))
    engine.store("a", tokens, 8)
    found = engine.find("b", tokens)
    engine.connector.free_lookup_locks("b", CHUNK, 2 * CHUNK)
    assert found.locks_held and not server.of("free_lookup_locks")
    engine.connector.free_lookup_locks("b", 0, 5 * CHUNK)
    assert not found.locks_held
    engine.connector.free_lookup_locks("b", 0, CHUNK)
    engine.connector.end_all_sessions()
    engine.connector.end_all_sessions()
    eventually(lambda: sorted(request for (request,) in server.of("end_session")) == ["a", "b"])
    assert [(key["start"], key["end"]) for key, _ in server.of("free_lookup_locks")] == [(0, 2 * CHUNK)]


@pytest.mark.parametrize("answer", [SILENCE, Refusal("error: no")])
@pytest.mark.parametrize("operation", ["lookup", "query_prefetch_status", "prepare_store", "prepare_retrieve", "clear"])
def test_answers_that_do_not_come_cost_a_miss(
    stage: tuple[FakeServer, FakeCache, Engine], operation: str, answer: Any
) -> None:
    server, _, engine = stage
    tokens = list(range(CHUNK))
    engine.store("a", tokens, 8)
    server.script[operation] = answer
    began = time.monotonic()
    found = engine.find("b", tokens)
    if found.total_hit_tokens:
        assert engine.load(found, 0, 100) is (operation != "prepare_retrieve")
    engine.store("c", list(range(500, 500 + CHUNK)), 8)
    assert engine.connector.clear() is (operation != "clear")
    assert time.monotonic() - began < 2 * LONGEST


def test_a_dead_server_is_a_miss_and_a_new_one_gets_the_memory(stage: tuple[FakeServer, FakeCache, Engine]) -> None:
    server, cache, engine = stage
    tokens = list(range(2 * CHUNK))
    engine.store("a", tokens, 8)
    found = engine.find("b", tokens)
    server.stop()
    began = time.monotonic()
    assert not engine.load(found, 0, 100)
    assert engine.find("c", tokens).total_hit_tokens == 0
    assert engine.store("c", tokens, 8).result is False
    engine.connector.finish_request("c")
    assert not engine.connector.clear()
    assert time.monotonic() - began < 2 * LONGEST
    server.start()
    eventually(lambda: len(cache.registrations) == 2, 10)
    eventually(lambda: engine.find("d", tokens).total_hit_tokens == 2 * CHUNK)
    assert engine.load(engine.find("e", tokens), 0, 100)


def test_groups_travel_as_the_server_buckets_them(tmp_path: Path) -> None:
    server, cache = make_server()
    pool = SimpleNamespace(
        full_kv_pool=SimpleNamespace(k_buffer=layers(1), v_buffer=layers(2)),
        swa_kv_pool=SimpleNamespace(k_buffer=layers(3, 128), v_buffer=layers(4, 128)),
    )
    arguments = unified_arguments(
        write_config(tmp_path, port_of(server)),
        PAGE,
        token_to_kv_pool_allocator=FakeAllocator(pool),
        tree_components=(Component.FULL, Component.SWA),
        sliding_window_size=6,
    )
    connector = UnifiedLMCacheMPConnector(**arguments)
    assert connector.aligned_swa_window_size() == 8
    (_, tensors, name, world, engine_type, hints, infos) = server.of("register_kv_cache")[0]
    assert (name, world, engine_type, hints) == ("test/model", 1, "sglang", {"kv_list_layout": "unified"})
    assert len(tensors) == 8
    assert [(i["engine_group_id"], i["layer_indices"], i["tokens_per_block"], i["sw_size_tokens"]) for i in infos] == [
        (0, [0, 1, 2, 3], PAGE, -1),
        (1, [4, 5, 6, 7], PAGE, 8),
    ]
    # The window's part of a prompt: its first chunk is gone, of the second the last 8 tokens are there.
    full = torch.arange(128 - CHUNK - 8, 128 + CHUNK - 8)
    server.script["store"] = [b"", True]
    operation = connector.submit_store(
        "a", list(range(2 * CHUNK)), connector.device_indices_by_group(full), device_indices_start=0, cache_salt=""
    )
    assert operation is not None
    eventually(operation.query)
    blocks = server.of("store")[0][2]
    assert blocks[0] == list(range(26, 34)) and blocks[1] == [0, 0, 0, 0, 0, 0, 2, 3]
    connector.close()
    server.stop()
    cache.remove()


def test_latent_layers_have_one_writer(tmp_path: Path) -> None:
    server, cache = make_server(2)
    latent = [layer[:, :1].contiguous() for layer in layers(1)]
    pool = SimpleNamespace(kv_buffer=latent)
    arguments = unified_arguments(
        write_config(tmp_path, port_of(server)),
        PAGE,
        model_config=model(arch="MLA"),
        token_to_kv_pool_allocator=FakeAllocator(pool),
    )
    connector = UnifiedLMCacheMPConnector(**arguments)
    (registration,) = cache.registrations
    assert (registration["num_layers"], registration["hidden_dim_size"], registration["use_mla"]) == (2, 4, True)
    assert connector.is_kv_writer and connector.kv_world_size == 1
    connector.close()
    server.stop()
    cache.remove()


def test_recurrent_state_has_one_checkpoint(tmp_path: Path) -> None:
    server, cache = make_server()
    state = torch.zeros(10, 3, 5)
    requests = SimpleNamespace(
        mamba_pool=SimpleNamespace(
            _iter_transfer_state_entries=lambda: [("conv", state, 0, 0)], replayssm_write_pos=torch.ones(10)
        ),
        translate_mamba_indices=lambda indices: indices + 1,
    )
    arguments = unified_arguments(
        write_config(tmp_path, port_of(server)),
        PAGE,
        req_to_token_pool=requests,
        tree_components=(Component.FULL, Component.MAMBA),
        mamba_component=SimpleNamespace(mamba_checkpoint_grid=CHUNK),
    )
    # A processor's recurrent state is made anew for each registration and cannot be moved.
    with pytest.raises(ValueError, match="recurrent"):
        UnifiedLMCacheMPConnector(**arguments)
    from lmcache.integration.sglang.unified_pools import UnifiedPools

    pools = UnifiedPools(
        allocator=arguments["token_to_kv_pool_allocator"],
        req_to_token_pool=requests,
        components=arguments["tree_components"],
        mamba_component=arguments["mamba_component"],
        page_size=PAGE,
        sliding_window=None,
    )
    full, mamba = pools.groups()
    assert (full.window, mamba.window, mamba.is_recurrent, mamba.block_count) == (-1, CHUNK, True, 10)
    by_group = pools.indices_by_group(torch.arange(2 * CHUNK), torch.tensor([4]), None)
    assert by_group[1].tolist() == [0, 5]
    pools.reset_recurrent_cursors(torch.tensor([3]))
    assert requests.mamba_pool.replayssm_write_pos.tolist() == [1, 1, 1, 0, 1, 1, 1, 1, 1, 1]
    server.stop()
    cache.remove()


@pytest.mark.parametrize(
    ("changes", "error", "text"),
    [
        ({"tree_components": (Component.SWA,)}, ValueError, "first must be FULL"),
        ({"tree_components": (Component.FULL, Component.C128)}, NotImplementedError, "C128"),
        ({"tp_size": 2, "tp_rank": 1}, ValueError, "tp_group"),
        ({"tp_rank": 1}, ValueError, "tp_rank 1"),
        ({"page_size": 12}, ValueError, "12"),
        ({"page_size": 32}, ValueError, "chunk size"),
        ({"token_to_kv_pool_allocator": FakeAllocator(SimpleNamespace())}, NotImplementedError, "SimpleNamespace"),
    ],
)
def test_what_cannot_work_is_refused_at_the_start(
    tmp_path: Path, changes: dict[str, Any], error: type[Exception], text: str
) -> None:
    server, cache = make_server()
    try:
        with pytest.raises(error, match=text):
            UnifiedLMCacheMPConnector(**unified_arguments(write_config(tmp_path, port_of(server)), **changes))
    finally:
        server.stop()
        cache.remove()


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("chunk_size: 256\n", "no mp_host"),
        ("mp_host: localhost\nmp_port: none\n", "mp_port"),
        ("mp_host: localhost\nmp_port: [1]\n", "mp_port"),
        ("mp_host: grpc://x\n", "schemes"),
        ("- mp_host\n", "must map names"),
        ("mp_host: [\n", "not YAML"),
        ("mp_host: a\nextra_config: 3\n", "extra_config"),
        ("mp_host: a\nextra_config: {lmcache.mp.mq_timeout: -1}\n", "mq_timeout"),
        ("mp_host: a\nextra_config: {lmcache.mp.mp_transfer_mode: fast}\n", "mp_transfer_mode"),
    ],
)
def test_configurations_that_say_nothing_useful(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, error: str
) -> None:
    monkeypatch.setattr(native, "is_available", lambda: False)
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=error) as caught:
        UnifiedLMCacheMPConnector(**unified_arguments(str(path)))
    assert "\n" not in str(caught.value)


def test_the_configuration_file_may_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lmcache.integration.sglang.mp_settings import MPSettings

    path = tmp_path / "lmcache.yaml"
    path.write_text("mp_host: ipc:///tmp/x.sock\n")
    monkeypatch.setenv("LMCACHE_CONFIG_FILE", str(path))
    assert MPSettings.load(None).url == "ipc:///tmp/x.sock"
    monkeypatch.setenv("LMCACHE_MP_HOST", "10.0.0.1")
    monkeypatch.setenv("LMCACHE_MP_PORT", "7000")
    monkeypatch.setenv("LMCACHE_EXTRA_CONFIG", '{"lmcache.mp.heartbeat_interval": 3}')
    settings = MPSettings.load("")
    assert (settings.url, settings.heartbeat_interval, settings.transfer_timeout) == ("tcp://10.0.0.1:7000", 3.0, 7.0)
    with pytest.raises((OSError, ValueError), match="absent"):
        MPSettings.load(str(tmp_path / "absent.yaml"))


@pytest.mark.skipif(not native.is_available(), reason="the library was not built")
def test_keys_that_do_not_exist_are_said_to_be_others(tmp_path: Path) -> None:
    path = tmp_path / "lmcache.yaml"
    path.write_text("mp_hosts: 127.0.0.1\n")
    with pytest.raises(ValueError, match="mp_host") as caught:
        UnifiedLMCacheMPConnector(**unified_arguments(str(path)))
    assert "\n" not in str(caught.value)
