# lmcache · SPDX-License-Identifier: Apache-2.0
"""vLLM's scheduler with our connector while the server goes away and comes back, and what the server tells."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gates import Gate
from real_server import CHUNK, RealServer, leases
from waiting import eventually

pytest.importorskip("torch")
pytest.importorskip("vllm")

from scheduler_harness import Engine, Setup, Worker, expected, soak  # noqa: E402

PROMPT = [11 * index % 977 for index in range(100)]


@pytest.fixture(params=["shared memory", "messages"])
def server(request: Any) -> Iterator[RealServer]:
    server = RealServer(shares_memory=request.param == "shared memory")
    yield server
    server.stop()


@pytest.fixture
def engine(server: RealServer, tmp_path: Path) -> Iterator[Engine]:
    engine = Engine(Setup(url=server.url, folder=tmp_path))
    yield engine
    engine.shutdown()


def is_healthy(engine: Engine) -> bool:
    return engine.connector._scheduler.adapter.is_healthy and engine.workers[0].connector._worker.adapter.is_healthy


def test_server_that_goes_away_costs_computation_only(engine: Engine, server: RealServer) -> None:
    assert engine.complete("cold", PROMPT) == expected(PROMPT, 4)
    server.kill()
    eventually(lambda: not is_healthy(engine))
    began = time.monotonic()
    assert engine.complete("away", PROMPT) == expected(PROMPT, 4)
    assert engine.hits["away"] == 0 and time.monotonic() - began < 2
    server.start()
    eventually(lambda: is_healthy(engine), 10)
    assert engine.complete("again", PROMPT) == expected(PROMPT, 4)
    assert engine.complete("warm", PROMPT) == expected(PROMPT, 4)
    assert (engine.hits["again"], engine.hits["warm"]) == (0, 96)


def test_restart_between_two_pings_is_noticed(engine: Engine, server: RealServer) -> None:
    # The next ping would come after 1000 s.
    engine.complete("cold", PROMPT)
    server.kill()
    server.start()
    eventually(lambda: is_healthy(engine), 10)
    engine.complete("again", PROMPT)
    assert engine.complete("warm", PROMPT) == expected(PROMPT, 4)
    assert engine.hits["warm"] == 96


def test_server_that_ends_during_a_load_fails_it_at_once(engine: Engine, server: RealServer) -> None:
    engine.complete("cold", PROMPT)
    gate = Gate(engine.workers[0], "retrieve")
    engine.add("a", PROMPT)
    engine.run(until=lambda: bool(gate.held))
    server.kill()
    eventually(lambda: not is_healthy(engine))
    gate.open()
    engine.run(5)
    assert list(engine.requests["a"].output_token_ids) == expected(PROMPT, 4)
    server.start()


def test_server_that_ends_during_a_store_frees_the_blocks(engine: Engine, server: RealServer) -> None:
    gate = Gate(engine.workers[0], "store")
    engine.add("a", PROMPT)
    engine.run(until=lambda: engine.requests["a"].is_finished())
    server.kill()
    gate.open()
    engine.run(5)
    assert engine.workers[0].sent == ["a"] and engine.free_blocks() == engine.setup.blocks - 1
    server.start()


def test_soak_with_two_restarts(server: RealServer, tmp_path: Path) -> None:
    engine = Engine(Setup(url=server.url, folder=tmp_path, blocks=40, prefix_caching=True))

    def restart(index: int) -> None:
        if index in (66, 133):
            server.kill()
            server.start()

    soak(engine, {}, seed=6, count=200, on_request=restart)
    assert sum(request.num_preemptions for request in engine.requests.values()) > 0
    assert max(engine.hits.values()) > 0
    engine.shutdown()
    eventually(lambda: leases(server) == 0)


def test_shutdown_without_a_server_is_short(engine: Engine, server: RealServer) -> None:
    engine.complete("cold", PROMPT)
    server.kill()
    eventually(lambda: not is_healthy(engine))
    began = time.monotonic()
    engine.shutdown()
    engine.shutdown()
    assert time.monotonic() - began < 3
    server.start()


def test_shutdown_unregisters_and_nothing_registers_again(engine: Engine, server: RealServer) -> None:
    engine.complete("cold", PROMPT)
    assert len(server.status()["registered_non_cuda_instance_ids"]) == 1
    engine.shutdown()
    eventually(lambda: server.status()["registered_non_cuda_instance_ids"] == [])


def test_events_reach_the_engine(server: RealServer, tmp_path: Path) -> None:
    # The server learns the tokens of a chunk from stores that it makes itself.
    engine = Engine(
        Setup(url=server.url, folder=tmp_path, with_events=True, options={"mp_transfer_mode": "lmcache_driven"})
    )
    taken: list[Any] = []
    take = engine.connector.take_events
    engine.connector.take_events = lambda: taken.extend(take()) or ()
    engine.complete("cold", PROMPT)

    def kinds() -> list[str]:
        engine.step()
        return [type(event).__name__ for event in taken]

    eventually(lambda: kinds() == ["BlockStored"] * 6)
    assert [event.token_ids for event in taken] == [PROMPT[at : at + CHUNK] for at in range(0, 96, CHUNK)]
    assert [event.parent_block_hash for event in taken[1:]] == [event.block_hashes[0] for event in taken[:-1]]
    assert {(event.block_size, event.medium) for event in taken} == {(CHUNK, "CPU")}
    engine.connector.reset_cache()
    eventually(lambda: "BlockRemoved" in kinds())
    removed = {item for event in taken if type(event).__name__ == "BlockRemoved" for item in event.block_hashes}
    assert removed == {event.block_hashes[0] for event in taken[:6]}
    engine.complete("second", PROMPT[:40])
    eventually(lambda: kinds()[-2:] == ["BlockStored"] * 2)
    server.kill()
    eventually(lambda: kinds()[-1] == "BlockRemoved")
    server.start()
    eventually(lambda: is_healthy(engine), 10)
    engine.complete("third", PROMPT[:40])
    eventually(lambda: kinds()[-1] == "BlockStored", 15)
    engine.shutdown()


def _child(url: str, folder: Path, answers: Any) -> None:
    try:
        worker = Worker(Setup(url=url, folder=folder), 0)
        worker.connector.shutdown()
        answers.put("registered")
    except BaseException as error:
        answers.put(repr(error))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_made_either_way(server: RealServer, engine: Engine, tmp_path: Path, method: Any) -> None:
    # The parent has threads and sockets of its own by now.
    engine.complete("cold", PROMPT)
    context = multiprocessing.get_context(method)
    answers = context.Queue()
    child = context.Process(target=_child, args=(server.url, tmp_path, answers))
    child.start()
    assert answers.get(timeout=240) == "registered"
    child.join(20)
    assert child.exitcode == 0
    assert engine.complete("warm", PROMPT) == expected(PROMPT, 4) and engine.hits["warm"] == 96
