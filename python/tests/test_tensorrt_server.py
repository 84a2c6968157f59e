# lmcache · SPDX-License-Identifier: Apache-2.0
"""The connector of preset `lmcache-mp` in a stand-in engine, against the real server: every byte is compared."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest
import tensorrt_interface as engine_side
from real_server import RealServer
from waiting import eventually

torch = pytest.importorskip("torch")

BLOCK, CHUNK, LAYERS, WIDTH, BLOCKS = 4, 8, 3, 6, 64


@pytest.fixture
def server() -> Iterator[RealServer]:
    server = RealServer(chunk_size=CHUNK)
    yield server
    server.stop()


class Engine(engine_side.TensorRTEngine):
    """A stand-in engine with our connector in it."""

    def __init__(self, url: str) -> None:
        from lmcache.integration.tensorrt_llm.tensorrt_mp_adapter import (
            LMCacheMPKvConnectorScheduler,
            LMCacheMPKvConnectorWorker,
        )

        arguments = engine_side.arguments(url, BLOCK)
        pool = torch.zeros(BLOCKS, LAYERS, 2, BLOCK * WIDTH, dtype=torch.float16)
        worker = LMCacheMPKvConnectorWorker(arguments)
        worker._instance_id = os.getpid() << 16 | random.getrandbits(16)
        super().__init__(LMCacheMPKvConnectorScheduler(arguments), worker, pool, BLOCK)
        worker.register_kv_caches(pool)

    def run(self, request: Any, computed: int = 0, most_tokens: int = 1 << 30) -> int:
        """A whole prompt; returns the tokens that came from the cache."""
        matched = self.add(request, computed)
        for position in range(computed):
            self.write(request.request_id, request.get_tokens(0), position)
        length = len(request.get_tokens(0))
        while self.positions[request.request_id] < length:
            self.step([request], most_tokens)
        assert self.is_right(request, 0, length)
        return matched

    def close(self) -> None:
        self.scheduler.shutdown()
        self.worker.shutdown()


@pytest.fixture(params=["old", "new"])
def engine(server: RealServer, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Engine]:
    engine_side.install(monkeypatch, is_old=request.param == "old")
    engine = Engine(server.url)
    yield engine
    engine.close()


def prompt(seed: int, length: int) -> list[int]:
    return [random.Random(seed).randrange(50_000) for _ in range(length)]


def run_and_finish(engine: Engine, number: int, tokens: list[int], computed: int = 0, **more: Any) -> int:
    item = engine_side.request(number, tokens, **more)
    matched = engine.run(item, computed)
    engine.finish(item)
    return matched


def test_second_run_loads_what_the_first_saved(engine: Engine) -> None:
    tokens = prompt(1, 30)
    assert run_and_finish(engine, 1, tokens) == 0
    assert run_and_finish(engine, 2, tokens) == 24
    assert run_and_finish(engine, 3, tokens, computed=12) == 12
    assert run_and_finish(engine, 4, tokens[:24]) == 20
    assert run_and_finish(engine, 5, [*tokens[:17], *prompt(2, 20)]) == 16
    assert run_and_finish(engine, 6, prompt(3, 7)) == 0
    # A block that the engine fills partly from its own cache.
    assert run_and_finish(engine, 7, tokens, computed=10) == 0


def test_random_prompts_are_right(engine: Engine) -> None:
    choice = random.Random(5)
    texts = [prompt(seed, 60) for seed in range(4)]
    hits = 0
    for number in range(60):
        tokens = choice.choice(texts)[: choice.randrange(1, 60)] + prompt(100 + number, choice.randrange(0, 9))
        item = engine_side.request(number, tokens)
        computed = choice.randrange(0, len(tokens)) // choice.choice([1, BLOCK, 100]) * BLOCK
        hits += engine.run(item, min(computed, len(tokens) - 1), choice.choice([5, 8, 13, 1000])) > 0
        engine.finish(item)
    assert hits > 10


def test_salts_do_not_share(engine: Engine) -> None:
    tokens = prompt(1, 30)
    assert run_and_finish(engine, 1, tokens, cache_salt="a") == 0
    assert run_and_finish(engine, 2, tokens, cache_salt="b") == 0
    assert run_and_finish(engine, 3, tokens) == 0
    assert run_and_finish(engine, 4, tokens, cache_salt="a") == 24


def test_requests_of_one_batch(engine: Engine) -> None:
    first, second = prompt(1, 40), prompt(2, 25)
    assert run_and_finish(engine, 1, first) == 0
    items = [engine_side.request(2, first), engine_side.request(3, second), engine_side.request(4, first)]
    assert [engine.add(item) for item in items] == [36, 0, 36]
    engine.step(items)
    assert all(engine.is_right(item, 0, len(item.get_tokens(0))) for item in items)


def test_request_that_ends_before_it_ran_keeps_nothing(engine: Engine, server: RealServer) -> None:
    tokens = prompt(1, 30)
    run_and_finish(engine, 1, tokens)
    item = engine_side.request(2, tokens)
    assert engine.add(item) == 24
    engine.finish(item)
    assert run_and_finish(engine, 3, tokens) == 24
    memory = server.status()["storage_manager"]["l1_managers"]["_default"]
    assert not [name for name, value in memory.items() if ("lock" in name or "lease" in name) and value]


def test_failed_load_fails_the_step_and_nothing_else(engine: Engine, server: RealServer) -> None:
    from lmcache.integration.tensorrt_llm.cache_worker import LoadFailedError

    tokens = prompt(1, 30)
    run_and_finish(engine, 1, tokens)
    item = engine_side.request(2, tokens)
    assert engine.add(item) == 24
    server.kill()
    started = time.monotonic()
    with pytest.raises(LoadFailedError, match="could not be loaded"):
        engine.step([item])
    assert time.monotonic() - started < 5
    engine.finish(item)
    assert run_and_finish(engine, 3, tokens) == 0
    server.start()
    eventually(lambda: engine.scheduler._cache._links[0].is_usable and engine.worker._link.is_usable, 15)
    assert run_and_finish(engine, 4, tokens) == 0
    assert run_and_finish(engine, 5, tokens) == 24


def test_server_that_stands_still_costs_one_short_wait(engine: Engine, server: RealServer) -> None:
    tokens = prompt(1, 30)
    run_and_finish(engine, 1, tokens)
    server.signal(signal.SIGSTOP)
    try:
        started = time.monotonic()
        item = engine_side.request(2, tokens)
        assert engine.add(item) == 0
        assert time.monotonic() - started < 3
        engine.finish(item)
        started = time.monotonic()
        assert engine.add(engine_side.request(3, tokens)) == 0
        assert time.monotonic() - started < 0.2
    finally:
        server.signal(signal.SIGCONT)
    eventually(lambda: engine.scheduler._cache._links[0].is_usable, 15)


def test_engine_starts_without_a_server_and_takes_it_up_later(monkeypatch: pytest.MonkeyPatch) -> None:
    engine_side.install(monkeypatch)
    server = RealServer(chunk_size=CHUNK)
    server.kill()
    monkeypatch.setenv("LMCACHE_MQ_TIMEOUT", "1")
    engine = Engine(server.url)
    tokens = prompt(1, 30)
    assert run_and_finish(engine, 1, tokens) == 0
    server.start()
    try:
        eventually(lambda: engine.scheduler._cache._links[0].is_usable and engine.worker._link.is_usable, 15)
        assert run_and_finish(engine, 2, tokens) == 0
        assert run_and_finish(engine, 3, tokens) == 24
    finally:
        engine.close()
        server.stop()


def test_chunks_that_are_no_multiple_of_blocks_refuse_the_start(
    server: RealServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine_side.install(monkeypatch)
    from lmcache.integration.tensorrt_llm.tensorrt_mp_adapter import LMCacheMPKvConnectorScheduler

    with pytest.raises(ValueError, match="chunk size 8 is not a multiple of tokens_per_block 3"):
        LMCacheMPKvConnectorScheduler(engine_side.arguments(server.url, 3))


@pytest.mark.parametrize("shape", [(64, 3, 1, 24), (64, 3, 24), (64, 3, 2, 23)])
def test_pools_of_other_shapes_refuse_the_start(engine: Engine, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="the KV pool has shape"):
        engine.worker.register_kv_caches(torch.zeros(shape))
