# lmcache · SPDX-License-Identifier: Apache-2.0
"""vLLM's scheduler with loads that belong to the step of their request."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gates import Gate
from real_server import RealServer, leases
from waiting import eventually

pytest.importorskip("torch")
pytest.importorskip("vllm")

from scheduler_harness import SPOILED, Engine, Setup, expected, full, soak, window  # noqa: E402

from lmcache.integration.vllm.inline_loads import InlineLoads  # noqa: E402

PROMPT = [13 * index % 983 for index in range(100)]
"""Six chunks and four tokens."""
INLINE = {"extra_args": {"kv_transfer_params": {"lmcache.mp.load_mode": "inline"}}}
ASYNC = {"extra_args": {"kv_transfer_params": {"lmcache.mp.load_mode": "async"}}}


class Stream:
    """A device: what was launched waits at the gate."""

    def __init__(self, worker: Any) -> None:
        self._changed = threading.Condition()
        self._held = self._raised = 0
        self.waits = 0
        adapter = worker.connector._worker.adapter
        adapter.make_inline_loads = lambda: InlineLoads(self, 3)
        worker.on_forward = self.wait

    def hold(self, number: int) -> bool:
        self._held = number
        self.waits += 1
        return True

    def raise_to(self, number: int) -> None:
        with self._changed:
            self._raised = number
            self._changed.notify_all()

    def wait(self) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self._raised >= self._held, 10)


@pytest.fixture(scope="module")
def server() -> Iterator[RealServer]:
    server = RealServer()
    yield server
    server.stop()


@pytest.fixture
def engines(server: RealServer, tmp_path: Path) -> Iterator[Any]:
    made: list[Engine] = []

    def make(mode: str = "inline", device: bool = True, transfer: str = "engine_driven", **more: Any) -> Engine:
        options = {"load_mode": mode, "mp_transfer_mode": transfer}
        engine = Engine(Setup(**{"url": server.url, "folder": tmp_path, "options": options, **more}))
        made.append(engine)
        engine.streams = [Stream(worker) for worker in engine.workers] if device else []  # type: ignore[attr-defined]
        return engine

    yield make
    for engine in made:
        engine.shutdown()
    eventually(lambda: leases(server) == 0)


@pytest.fixture
def salt(request: Any) -> dict[str, str]:
    return {"cache_salt": request.node.name.replace("[", "-").replace("]", "")}


def steps(engine: Engine, name: str, tokens: list[int], **more: Any) -> int:
    """Runs one prompt; gives the number of steps until its first token."""
    request = engine.add(name, tokens, **more)
    # The lookup takes steps of its own.
    engine.run(until=lambda: request.num_computed_tokens > 0 or bool(request.output_token_ids) or not engine.is_busy())
    count = 0
    while not request.output_token_ids:
        engine.step()
        count += 1
    engine.run()
    return count


@pytest.mark.parametrize("device", [True, False])
@pytest.mark.parametrize("transfer", ["engine_driven", "lmcache_driven"])
def test_a_hit_is_computed_in_the_step_that_loads_it(engines: Any, salt: Any, transfer: str, device: bool) -> None:
    engine = engines(transfer=transfer, device=device)
    assert engine.complete("cold", PROMPT, **salt) == expected(PROMPT, 4)
    assert steps(engine, "warm", PROMPT, **salt) == 0
    assert list(engine.requests["warm"].output_token_ids) == expected(PROMPT, 4)
    assert engine.hits["warm"] == 96
    assert engine.workers[0].received == []
    assert not device or engine.streams[0].waits == 1
    assert engine.free_blocks() == engine.setup.blocks - 1


def test_a_request_chooses_for_itself(engines: Any, salt: Any) -> None:
    engine = engines(mode="async")
    engine.complete("cold", PROMPT, **salt)
    assert steps(engine, "late", PROMPT, **salt) > 0 and engine.streams[0].waits == 0
    assert steps(engine, "own", PROMPT, **INLINE, **salt) == 0 and engine.streams[0].waits == 1
    wrong = {"extra_args": {"kv_transfer_params": {"lmcache.mp.load_mode": "soon"}}}
    assert steps(engine, "wrong", PROMPT, **wrong, **salt) > 0 and engine.streams[0].waits == 1
    for name in ("late", "own", "wrong"):
        assert list(engine.requests[name].output_token_ids) == expected(PROMPT, 4)
        assert engine.hits[name] == 96


def test_auto_is_inline_for_a_request_that_is_alone(engines: Any, salt: Any) -> None:
    engine = engines(mode="auto")
    engine.complete("cold", PROMPT, **salt)
    assert engine.complete("alone", PROMPT, **salt) == expected(PROMPT, 4)
    assert engine.streams[0].waits == 1
    other = [5] * 30
    engine.add("other", other, most=60, **salt)
    engine.run(until=lambda: len(engine.requests["other"].output_token_ids) > 2)
    engine.add("beside", PROMPT, **salt)
    engine.run()
    assert engine.streams[0].waits == 1
    assert engine.workers[0].received == ["beside"]
    assert list(engine.requests["beside"].output_token_ids) == expected(PROMPT, 4)
    assert list(engine.requests["other"].output_token_ids) == expected(other, 60)


def test_a_long_rest_is_computed_in_several_steps_and_stored(engines: Any, salt: Any) -> None:
    engine = engines()
    engine.complete("cold", PROMPT[:40], **salt)
    longer = PROMPT + [3 * index % 500 for index in range(200)]
    assert engine.complete("longer", longer, **salt) == expected(longer, 4)
    assert engine.hits["longer"] == 32 and engine.streams[0].waits == 1
    assert engine.complete("again", longer, **salt) == expected(longer, 4)
    assert engine.hits["again"] == 288


def test_several_requests_of_a_step_wait_together(engines: Any, salt: Any) -> None:
    engine = engines(step_tokens=256)
    prompts = [[index] + PROMPT for index in range(3)]
    for index, prompt in enumerate(prompts):
        engine.complete(f"cold-{index}", prompt, **salt)
    for index, prompt in enumerate(prompts):
        engine.add(f"warm-{index}", prompt, **salt)
    engine.run()
    for index, prompt in enumerate(prompts):
        assert list(engine.requests[f"warm-{index}"].output_token_ids) == expected(prompt, 4)
        assert engine.hits[f"warm-{index}"] == 96
    assert 1 <= engine.streams[0].waits <= 3


def test_several_ranks_each_wait_for_their_own(engines: Any, salt: Any) -> None:
    engine = engines(ranks=2)
    engine.complete("cold", PROMPT, **salt)
    assert engine.complete("warm", PROMPT, **salt) == expected(PROMPT, 4)
    assert [stream.waits for stream in engine.streams] == [1, 1]
    assert engine.hits["warm"] == 96


@pytest.mark.parametrize("device", [True, False])
@pytest.mark.parametrize("caches", [False, True])
def test_a_failed_load_is_computed_again(engines: Any, salt: Any, device: bool, caches: bool) -> None:
    engine = engines(device=device, prefix_caching=caches)
    engine.complete("cold", PROMPT[:80], **salt)
    assert engine.scheduler.reset_prefix_cache()
    gate = Gate(engine.workers[0], "retrieve")
    threading.Timer(0.2, gate.fail).start()
    # What is stored of the failed step would be wrong, so it must not be.
    assert engine.complete("warm", PROMPT + PROMPT, **salt) == expected(PROMPT + PROMPT, 4)
    assert SPOILED not in engine.requests["warm"].output_token_ids
    assert engine.workers[0].received == []
    gate.open()
    assert engine.scheduler.reset_prefix_cache()
    assert engine.complete("again", PROMPT + PROMPT, **salt) == expected(PROMPT + PROMPT, 4)
    assert engine.free_blocks() == engine.setup.blocks - 1


def test_a_failed_load_fails_its_request_where_that_is_wanted(engines: Any, salt: Any) -> None:
    engine = engines(policy="fail", prefix_caching=True)
    engine.complete("cold", PROMPT, **salt)
    assert engine.scheduler.reset_prefix_cache()
    gate = Gate(engine.workers[0], "retrieve")
    threading.Timer(0.2, gate.fail).start()
    assert engine.complete("warm", PROMPT, **salt) == []
    assert engine.errors == {"warm"}
    gate.open()
    assert engine.complete("again", PROMPT, **salt) == expected(PROMPT, 4)
    assert engine.free_blocks() == engine.setup.blocks - 1


def test_what_a_failed_load_left_is_no_hit_after_an_abort(engines: Any, salt: Any) -> None:
    engine = engines(prefix_caching=True)
    engine.complete("cold", PROMPT, **salt)
    assert engine.scheduler.reset_prefix_cache()
    gate = Gate(engine.workers[0], "retrieve")
    engine.add("warm", PROMPT, **salt)
    threading.Timer(0.2, gate.fail).start()
    engine.run(until=lambda: engine.hits.get("warm") == 96)
    # Its blocks were in the engine's own cache from the start of the step.
    engine.abort(["warm"])
    gate.open()
    assert engine.complete("again", PROMPT, **salt) == expected(PROMPT, 4)


def test_a_load_without_an_answer_ends(engines: Any, salt: Any) -> None:
    engine = engines()
    engine.complete("cold", PROMPT, **salt)
    gate = Gate(engine.workers[0], "retrieve")
    began = time.monotonic()
    assert engine.complete("warm", PROMPT, **salt) == expected(PROMPT, 4)
    assert 2.5 < time.monotonic() - began < 9
    gate.open()


def test_an_aborted_request_leaves_nothing_behind(engines: Any, salt: Any) -> None:
    engine = engines(blocks=40, prefix_caching=True)
    engine.complete("cold", PROMPT, **salt)
    assert engine.scheduler.reset_prefix_cache()
    engine.add("warm", PROMPT, **salt)
    engine.run(until=lambda: engine.hits.get("warm") == 96)
    engine.abort(["warm"])
    assert engine.complete("again", PROMPT, **salt) == expected(PROMPT, 4)
    assert engine.free_blocks() == engine.setup.blocks - 1


@pytest.mark.parametrize("mode", ["inline", "mixed"])
@pytest.mark.parametrize("transfer", ["engine_driven", "lmcache_driven"])
def test_soak(engines: Any, salt: Any, mode: str, transfer: str) -> None:
    engine = engines(transfer=transfer, blocks=40, prefix_caching=True)
    if mode == "mixed":
        chance = random.Random(4)
        engine.connector._scheduler._load_mode.is_inline = lambda *_: chance.random() < 0.5
    soak(engine, salt, seed=3, count=120)
    assert sum(request.num_preemptions for request in engine.requests.values()) > 0
    assert max(engine.hits.values()) > 0 and engine.streams[0].waits > 0


def test_soak_with_loads_that_fail(engines: Any, salt: Any) -> None:
    engine = engines(blocks=40, prefix_caching=True)
    adapter = engine.workers[0].connector._worker.adapter
    begin, count = adapter._begin_load, iter(range(10_000))

    def sometimes(*values: Any) -> Any:
        job, blocks, future = begin(*values)
        return job, blocks, None if next(count) % 3 == 0 else future

    adapter._begin_load = sometimes
    soak(engine, salt, seed=5, count=150)
    assert engine.streams[0].waits > 10
    for request in engine.requests.values():
        assert SPOILED not in request.output_token_ids


def test_where_it_cannot_be_taken_back_loads_are_asynchronous(engines: Any, salt: Any) -> None:
    engine = engines(groups=[full(), window(24)], transfer="auto")
    engine.complete("cold", PROMPT, **salt)
    assert engine.complete("warm", PROMPT, **salt) == expected(PROMPT, 4)
    assert engine.streams[0].waits == 0 and engine.workers[0].received == ["warm"]


def test_a_scheduler_that_runs_ahead(engines: Any, salt: Any) -> None:
    engine = engines(policy="fail", prefix_caching=True, ahead=True)
    assert engine.complete("cold", PROMPT, **salt) == expected(PROMPT, 4)
    assert engine.scheduler.reset_prefix_cache()
    assert engine.complete("warm", PROMPT, **salt) == expected(PROMPT, 4)
    assert engine.hits["warm"] == 96 and engine.streams[0].waits == 1


def test_a_failed_load_under_a_scheduler_that_runs_ahead(engines: Any, salt: Any) -> None:
    options = {"load_mode": "inline", "save_decode_cache": True}
    engine = engines(policy="fail", prefix_caching=True, ahead=True, options=options)
    longer = PROMPT + PROMPT[:40]
    engine.complete("cold", PROMPT, **salt)
    assert engine.scheduler.reset_prefix_cache()
    gate = Gate(engine.workers[0], "retrieve")
    threading.Timer(0.2, gate.fail).start()
    engine.add("warm", longer, most=40, **salt)
    engine.run(until=lambda: "warm" in engine.hits)
    # Scheduled before the failure is known, over the same blocks.
    engine.add("sharing", longer, most=40, **salt)
    engine.run()
    assert engine.errors >= {"warm"}
    for name in ("warm", "sharing"):
        tokens = list(engine.requests[name].output_token_ids)
        assert SPOILED not in tokens and tokens == expected(longer, len(tokens))
    gate.open()
    assert engine.scheduler.reset_prefix_cache()
    # Nothing of those steps may have been stored.
    assert engine.complete("again", longer, most=40, **salt) == expected(longer, 40)
    assert engine.free_blocks() == engine.setup.blocks - 1


def test_recomputing_ahead_of_the_schedule_is_left_to_asynchronous_loads(engines: Any, salt: Any) -> None:
    engine = engines(policy="recompute", ahead=True)
    engine.complete("cold", PROMPT, **salt)
    assert engine.complete("warm", PROMPT, **salt) == expected(PROMPT, 4)
    assert engine.streams[0].waits == 0 and engine.hits["warm"] == 96


def test_a_load_begins_before_its_step_is_prepared(engines: Any, salt: Any) -> None:
    engine = engines()
    engine.complete("cold", PROMPT, **salt)
    connector = engine.workers[0].connector
    gate = Gate(engine.workers[0], "retrieve")
    arrive, begun = connector.handle_preemptions, []

    def arrived(metadata: Any) -> None:
        arrive(metadata)
        begun.append(len(gate.held))
        if gate.held:
            gate.open()

    connector.handle_preemptions = arrived
    assert engine.complete("warm", PROMPT, **salt) == expected(PROMPT, 4)
    assert begun.count(1) == 1 and engine.hits["warm"] == 96 and engine.streams[0].waits == 1


def test_a_request_that_is_alone_waits_a_little_for_its_lookup(engines: Any, salt: Any) -> None:
    engine = engines(mode="auto")
    engine.complete("cold", PROMPT, **salt)
    assert engine.complete("warm", PROMPT, **salt) == expected(PROMPT, 4)
    assert engine.hits["warm"] == 96
    side = engine.connector._scheduler
    check, clock = side.adapter.check_lookup_result, side._clock
    asked, now = 0, 0.0

    def nothing_yet(_: str) -> None:
        nonlocal asked
        asked += 1

    def later() -> float:
        nonlocal now
        now += 0.001
        return now

    side.adapter.check_lookup_result, side._clock = nothing_yet, later
    engine.run()
    engine.add("slow", PROMPT, **salt)
    for _ in range(20):
        engine.step()
    # A few times in the first step, then once in each.
    assert 20 <= asked <= 25
    side.adapter.check_lookup_result, side._clock = check, clock
    engine.run()
    assert list(engine.requests["slow"].output_token_ids) == expected(PROMPT, 4)
