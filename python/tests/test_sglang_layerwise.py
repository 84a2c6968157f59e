# lmcache · SPDX-License-Identifier: Apache-2.0
"""The connector of SGLang 0.5.2 to 0.5.20 that loads layer by layer, against a scripted server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from fake_pool import CHUNK
from fake_server import SILENCE, FakeServer, Refusal
from sglang_stage import LAYERS, SLOTS, FakeCache, layers, make_server, model, port_of, write_config
from waiting import eventually

from lmcache.integration.sglang.sglang_adapter import LMCacheLayerwiseConnector, LoadMetadata, StoreMetadata


class Engine:
    def __init__(self, config: str = "", arch: str = "MHA") -> None:
        self.keys, self.values = layers(1), layers(2)
        named = {"config_file": config} if config else {}
        self.connector = LMCacheLayerwiseConnector(
            sgl_config=model(arch=arch), tp_size=1, rank=0, k_pool=self.keys, v_pool=self.values, tp_group=None, **named
        )

    def store(self, tokens: list[int], slots: torch.Tensor) -> None:
        self.connector.store_kv(StoreMetadata(last_node=None, token_ids=tokens, kv_indices=slots, offset=0))

    def begin(self, tokens: list[int], local: int, fresh: torch.Tensor) -> int:
        mapping = torch.cat([torch.full((local,), -1), fresh])
        return self.connector.start_load_kv(
            LoadMetadata(token_ids=tokens, slot_mapping=mapping, offset=local - local % CHUNK)
        )

    def loaded(self, slots: torch.Tensor) -> list[bool]:
        return [bool((layer[slots] != 0).all()) for layer in self.keys]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[tuple[FakeServer, FakeCache, Engine]]:
    server, cache = make_server()
    engine = Engine(write_config(tmp_path, port_of(server)))
    yield server, cache, engine
    engine.connector.close()
    server.stop()
    cache.remove()


def test_layers_come_one_ahead_of_the_engine(stage: tuple[FakeServer, FakeCache, Engine]) -> None:
    server, cache, engine = stage
    tokens = list(range(3 * CHUNK + 1))
    slots = torch.randperm(100, generator=torch.Generator().manual_seed(3))[: len(tokens)] + 1
    assert engine.begin(tokens, 0, torch.arange(150, 150 + len(tokens))) == 0
    engine.store(tokens, slots.to(torch.int32))
    assert len(cache.stored) == 3
    local = CHUNK + 5
    count = 3 * CHUNK - local
    expected = [layer[slots][local : 3 * CHUNK].clone() for layer in engine.keys + engine.values]
    fresh = torch.arange(150, 150 + len(tokens) - local)
    target = fresh[:count]
    for layer in engine.keys + engine.values:
        layer[fresh] = 0
    assert engine.begin(tokens, local, fresh) == 2 * CHUNK
    assert engine.loaded(target) == [True] + [False] * (LAYERS - 1)
    assert not cache.returned
    engine.connector.load_kv_layerwise(0)
    assert engine.loaded(target) == [True] * LAYERS
    found = [layer[target] for layer in engine.keys + engine.values]
    assert all(torch.equal(left, right) for left, right in zip(found, expected, strict=True))
    assert all(bool((layer[fresh[count:]] == 0).all()) for layer in engine.keys + engine.values)
    engine.connector.load_kv_layerwise(1)
    eventually(lambda: cache.returned == [(CHUNK, 3 * CHUNK)])
    eventually(lambda: len(server.of("end_session")) == 3)


def test_a_layer_that_was_passed_over_is_there_when_it_is_used(stage: tuple[FakeServer, FakeCache, Engine]) -> None:
    _, _, engine = stage
    tokens = list(range(CHUNK))
    engine.store(tokens, torch.arange(1, 1 + CHUNK))
    engine.begin(tokens, 0, torch.arange(100, 100 + CHUNK))
    engine.connector.load_kv_layerwise(LAYERS - 1)
    for layer in engine.keys + engine.values:
        assert torch.equal(layer[1 : 1 + CHUNK], layer[100 : 100 + CHUNK])


def test_a_load_in_one_go(stage: tuple[FakeServer, FakeCache, Engine]) -> None:
    _, cache, engine = stage
    tokens = list(range(CHUNK))
    engine.store(tokens, torch.arange(1, 1 + CHUNK))
    metadata = LoadMetadata(tokens, torch.arange(100, 100 + CHUNK), 0)
    assert engine.connector.load_kv(metadata) == CHUNK
    assert torch.equal(engine.values[-1][1 : 1 + CHUNK], engine.values[-1][100 : 100 + CHUNK])
    assert cache.returned == [(0, CHUNK)]


def test_what_the_engine_has_is_not_loaded(stage: tuple[FakeServer, FakeCache, Engine]) -> None:
    _, cache, engine = stage
    tokens = list(range(CHUNK + 3))
    engine.store(tokens, torch.arange(1, 1 + len(tokens)))
    assert engine.begin(tokens, CHUNK, torch.arange(100, 103)) == 0
    assert not cache.returned


def test_loads_that_were_begun_end_with_the_connector(stage: tuple[FakeServer, FakeCache, Engine]) -> None:
    server, cache, engine = stage
    tokens = list(range(CHUNK))
    engine.store(tokens, torch.arange(1, 1 + CHUNK))
    engine.begin(tokens, 0, torch.arange(100, 100 + CHUNK))
    engine.connector.reset()
    assert cache.returned == [(0, CHUNK)] and len(server.of("clear")) == 1
    engine.connector.load_kv_layerwise(0)
    assert engine.connector.get_kv_events() == []


@pytest.mark.parametrize("slots", [torch.arange(SLOTS, SLOTS + CHUNK), torch.arange(-3, CHUNK - 3), torch.arange(3)])
def test_slots_that_do_not_fit(stage: tuple[FakeServer, FakeCache, Engine], slots: torch.Tensor) -> None:
    _, cache, engine = stage
    tokens = list(range(CHUNK))
    engine.store(tokens, slots)
    assert not cache.stored
    engine.store(tokens, torch.arange(1, 1 + CHUNK))
    before = [layer.clone() for layer in engine.keys + engine.values]
    if int(slots[0]) >= 0:
        assert engine.begin(tokens, 0, slots) == 0
        assert cache.returned == [(0, CHUNK)]
    assert all(torch.equal(left, right) for left, right in zip(before, engine.keys + engine.values, strict=True))


@pytest.mark.parametrize("answer", [SILENCE, Refusal("error: no")])
@pytest.mark.parametrize("operation", ["lookup", "wait_prefetch_status", "prepare_store", "prepare_retrieve"])
def test_answers_that_do_not_come_cost_a_miss(
    stage: tuple[FakeServer, FakeCache, Engine], operation: str, answer: Any
) -> None:
    server, _, engine = stage
    tokens = list(range(CHUNK))
    engine.store(tokens, torch.arange(1, 1 + CHUNK))
    server.script[operation] = answer
    began = time.monotonic()
    loaded = engine.begin(tokens, 0, torch.arange(100, 100 + CHUNK))
    assert loaded == (CHUNK if operation == "prepare_store" else 0)
    engine.store(list(range(500, 500 + CHUNK)), torch.arange(1, 1 + CHUNK))
    assert time.monotonic() - began < 6


def test_a_dead_server_is_a_miss_and_a_new_one_gets_the_layout(stage: tuple[FakeServer, FakeCache, Engine]) -> None:
    server, cache, engine = stage
    tokens = list(range(CHUNK))
    slots = torch.arange(1, 1 + CHUNK)
    engine.store(tokens, slots)
    # The pool of a load that was begun stays mapped: the layers that are left are still the right ones.
    assert engine.begin(tokens, 0, torch.arange(100, 100 + CHUNK)) == CHUNK
    server.stop()
    engine.connector.load_kv_layerwise(0)
    assert torch.equal(engine.values[-1][slots], engine.values[-1][100 : 100 + CHUNK])
    assert engine.begin(tokens, 0, torch.arange(130, 130 + CHUNK)) == 0
    engine.store(tokens, slots)
    server.start()
    eventually(lambda: len(cache.registrations) == 2, 10)
    eventually(lambda: engine.begin(tokens, 0, torch.arange(130, 130 + CHUNK)) == CHUNK)


def test_the_file_may_be_left_to_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server, cache = make_server()
    monkeypatch.setenv("LMCACHE_CONFIG_FILE", write_config(tmp_path, port_of(server)))
    engine = Engine()
    assert engine.connector.chunk_size() == CHUNK
    (registration,) = cache.registrations
    assert (registration["block_size"], registration["num_layers"], registration["use_mla"]) == (1, LAYERS, False)
    engine.connector.close()
    engine.connector.close()
    server.stop()
    cache.remove()


def test_latent_layers_are_the_first_pool_alone(tmp_path: Path) -> None:
    server, cache = make_server(LAYERS)
    engine = Engine(write_config(tmp_path, port_of(server)), arch="MLA")
    assert cache.registrations[0]["use_mla"] is True
    tokens = list(range(CHUNK))
    engine.store(tokens, torch.arange(1, 1 + CHUNK))
    assert engine.begin(tokens, 0, torch.arange(100, 100 + CHUNK)) == CHUNK
    engine.connector.load_kv_layerwise(LAYERS)
    assert torch.equal(engine.keys[-1][1 : 1 + CHUNK], engine.keys[-1][100 : 100 + CHUNK])
    assert torch.equal(engine.values[-1], layers(2)[-1])
    engine.connector.close()
    server.stop()
    cache.remove()
