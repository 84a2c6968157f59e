# lmcache · SPDX-License-Identifier: Apache-2.0
"""vLLM's scheduler with deferred stores over the real server."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gates import Gate
from real_server import RealServer, leases
from waiting import eventually

pytest.importorskip("torch")
pytest.importorskip("vllm")

from scheduler_harness import Engine, Setup, expected, full, soak, window  # noqa: E402

PROMPT = [7 * index % 991 for index in range(100)]
"""Six chunks and four tokens, thirteen blocks."""
FIFO = {"lazy_offload_policy": "FIFO", "lazy_offload_threshold": 2, "lazy_offload_select_count": 1}


def sessions(server: RealServer) -> int:
    return int(server.status()["active_sessions"])


@pytest.fixture(scope="module")
def server() -> Iterator[RealServer]:
    server = RealServer("--separate-object-groups")
    yield server
    server.stop()


@pytest.fixture
def engines(server: RealServer, tmp_path: Path) -> Iterator[Any]:
    made: list[Engine] = []

    def make(options: dict[str, Any] | None = None, is_lazy: bool = True, **more: Any) -> Engine:
        lazy = {"lazy_offload": True} if is_lazy else {}
        setup = Setup(
            **{"url": server.url, "folder": tmp_path, "prefix_caching": True, "blocks": 40, **more},
            options={**lazy, **(options or {})},
        )
        engine = Engine(setup)
        made.append(engine)
        return engine

    yield make
    for engine in made:
        engine.shutdown()
    eventually(lambda: leases(server) == 0)
    eventually(lambda: sessions(server) == 0)


@pytest.fixture
def salt(request: Any) -> dict[str, str]:
    return {"cache_salt": request.node.name.replace("[", "-").replace("]", "")}


def counts(engine: Engine) -> dict[str, int]:
    return dict(engine.connector._lazy.counts())


def other(seed: int, length: int = 100) -> list[int]:
    return [(seed * 131 + 17 * index) % 997 for index in range(length)]


def churn(engine: Engine, salt: Any, rounds: int = 6, start: int = 1000, length: int = 100) -> None:
    """Other prompts, which take every block once at least."""
    for seed in range(start, start + rounds):
        assert engine.complete(f"churn-{seed}", other(seed, length), **salt) == expected(other(seed, length), 4)


def hit_elsewhere(engines: Any, salt: Any, tokens: list[int] | None = None) -> int:
    """What an engine without anything of its own gets from the server, whose bytes it checks."""
    prompt = PROMPT if tokens is None else tokens
    engine = engines(is_lazy=False, role="kv_consumer", prefix_caching=False)
    assert engine.complete("probe", prompt, **salt) == expected(prompt, 4)
    hit: int = engine.hits["probe"]
    return hit


def test_prompt_is_stored_when_its_blocks_are_about_to_go(engines: Any, server: RealServer, salt: Any) -> None:
    engine = engines()
    assert engine.complete("a", PROMPT, **salt) == expected(PROMPT, 4)
    assert engine.free_blocks() == engine.setup.blocks - 1 and engine.workers[0].sent == []
    assert counts(engine)["waiting"] == 2 and counts(engine)["emitted"] == 0
    assert hit_elsewhere(engines, salt) == 0
    churn(engine, salt)
    assert hit_elsewhere(engines, salt) == 96
    assert engine.complete("again", PROMPT, **salt) == expected(PROMPT, 4)
    assert engine.hits["again"] == 96 and engine.workers[0].received == ["again"]
    assert engine.workers[0].sent == [] and engine.free_blocks() == engine.setup.blocks - 1


@pytest.mark.parametrize("mode", ["engine_driven", "lmcache_driven"])
def test_soak(engines: Any, salt: Any, mode: str) -> None:
    engine = engines(options={"mp_transfer_mode": mode})
    soak(engine, salt, seed=11, count=60)
    assert counts(engine)["emitted"] > 10 and engine.workers[0].sent == []


@pytest.mark.parametrize("blocks", [30, 60])
def test_soak_first_come(engines: Any, salt: Any, blocks: int) -> None:
    # With few blocks most are gone before enough requests are over.
    engine = engines(options=FIFO, blocks=blocks)
    soak(engine, salt, seed=12, count=60)
    assert counts(engine)["emitted"] > 0 and counts(engine)["dropped_evicted"] > 0


def test_soak_of_two_ranks(engines: Any, salt: Any) -> None:
    engine = engines(ranks=2)
    soak(engine, salt, seed=13, count=30)
    assert counts(engine)["emitted"] > 10 and counts(engine)["on_their_way"] == 0


@pytest.mark.parametrize("length", [8, 16, 40])
def test_soak_of_windows(engines: Any, salt: Any, length: int) -> None:
    engine = engines(groups=[full(), window(length)], blocks=60, step_tokens=40)
    soak(engine, salt, seed=14, count=30)
    assert counts(engine)["emitted"] > 10


@pytest.mark.parametrize("seconds", [0, 0.005])
def test_soak_of_steps_scheduled_ahead(engines: Any, salt: Any, seconds: float) -> None:
    engine = engines(ahead=True, options={"lazy_offload_max_deferral_seconds": seconds})
    soak(engine, salt, seed=17, count=40)
    assert counts(engine)["emitted"] > 10


def test_soak_with_decoded_tokens(engines: Any, salt: Any) -> None:
    engine = engines(options={"save_decode_cache": True, "lazy_offload_max_deferral_seconds": 0.001})
    soak(engine, salt, seed=15, count=40)
    assert counts(engine)["emitted_overdue"] > 0


def test_windows_are_loaded_where_they_were_stored(engines: Any, salt: Any) -> None:
    engine = engines(groups=[full(), window(24)], blocks=80)
    engine.complete("a", PROMPT, **salt)
    churn(engine, salt, 8)
    probe = engines(groups=[full(), window(24)], blocks=80, is_lazy=False, role="kv_consumer", prefix_caching=False)
    assert probe.complete("probe", PROMPT, **salt) == expected(PROMPT, 4)
    assert probe.hits["probe"] == 96


def test_two_ranks_must_both_say_that_a_store_ended(engines: Any, server: RealServer, salt: Any) -> None:
    engine = engines(ranks=2, options={"lazy_offload_max_deferral_seconds": 0.0001})
    gate = Gate(engine.workers[1], "store")
    engine.add("a", PROMPT, **salt)
    engine.run(until=lambda: engine.requests["a"].is_finished())
    for _ in range(5):
        engine.step()
    assert engine.is_busy() and counts(engine)["on_their_way"] == 1 and engine.free_blocks() < 39
    assert sessions(server) == 1
    gate.open()
    engine.run()
    assert engine.free_blocks() == 39
    eventually(lambda: sessions(server) == 0)
    assert [worker.sent for worker in engine.workers] == [[], []]


def test_rank_that_stores_nothing_answers_too(engines: Any, salt: Any) -> None:
    engine = engines(ranks=2, is_mla=True, options={"lazy_offload_max_deferral_seconds": 0.0001})
    assert engine.complete("a", PROMPT, **salt) == expected(PROMPT, 4)
    assert engine.complete("b", other(1), **salt) == expected(other(1), 4)
    assert counts(engine)["emitted"] == 4 and counts(engine)["failed"] == 0


def test_blocks_that_a_store_reads_are_given_to_nobody(engines: Any, salt: Any) -> None:
    engine = engines()
    gate = Gate(engine.workers[0], "store")
    engine.complete("a", PROMPT, **salt)
    for seed in range(3):
        engine.add(f"b-{seed}", other(seed), **salt)
        engine.run(until=engine.requests[f"b-{seed}"].is_finished)
    held = {block for job, _ in gate.held for ids in job.block_ids for block in ids}
    assert held
    taken: set[int] = set()
    engine.on_step = lambda output: taken.update(
        block for new in output.scheduled_new_reqs for ids in new.block_ids for block in ids
    )
    for seed in range(10, 13):
        engine.add(f"c-{seed}", other(seed), **salt)
        engine.run(until=engine.requests[f"c-{seed}"].is_finished)
    assert taken and not taken & held
    gate.open()
    engine.run()
    assert engine.free_blocks() == 39


def test_slow_server_does_not_take_all_blocks(engines: Any, salt: Any) -> None:
    engine = engines()
    gate = Gate(engine.workers[0], "store")
    for seed in range(12):
        engine.add(f"a-{seed}", other(seed), **salt)
        engine.run(until=engine.requests[f"a-{seed}"].is_finished)
    assert engine.connector._lazy._held <= 20 + 13 and engine.free_blocks() >= 7
    assert counts(engine)["dropped_evicted"] > 0
    gate.open()
    engine.run()
    assert engine.free_blocks() == 39


def test_burst_that_takes_the_blocks_first_drops_the_store(engines: Any, salt: Any) -> None:
    engine = engines(options={"lazy_offload_horizon_steps": 0.01}, step_tokens=256)
    engine.complete("a", PROMPT, **salt)
    churn(engine, salt, 3)
    assert counts(engine)["dropped_evicted"] + counts(engine)["shortened"] > 0
    assert counts(engine)["emitted"] == 0 and hit_elsewhere(engines, salt) == 0


def test_reset_of_the_engines_cache_drops_what_waits(engines: Any, server: RealServer, salt: Any) -> None:
    engine = engines()
    engine.complete("a", PROMPT, **salt)
    assert engine.scheduler.reset_prefix_cache()
    churn(engine, salt, 6)
    assert counts(engine)["dropped_evicted"] >= 2
    assert hit_elsewhere(engines, salt) == 0
    assert engine.complete("again", PROMPT, **salt) == expected(PROMPT, 4)


def test_reset_while_requests_run(engines: Any, salt: Any) -> None:
    engine = engines(step_tokens=24)
    request = engine.add("a", PROMPT, most=20, **salt)
    engine.run(until=lambda: request.num_computed_tokens == 72)
    assert engine.scheduler.reset_prefix_cache(reset_running_requests=True)
    engine.run()
    assert list(engine.requests["a"].output_token_ids) == expected(PROMPT, 20)
    churn(engine, salt)
    assert hit_elsewhere(engines, salt) == 96


def test_reset_together_with_the_servers(engines: Any, salt: Any) -> None:
    engine = engines(options={"lazy_offload_max_deferral_seconds": 0.0001})
    engine.complete("a", PROMPT, **salt)
    assert engine.scheduler.reset_prefix_cache(reset_connector=True)
    assert hit_elsewhere(engines, salt) == 0
    churn(engine, salt)
    assert engine.complete("again", PROMPT, **salt) == expected(PROMPT, 4)


def test_abort_leaves_what_was_computed_to_be_stored(engines: Any, server: RealServer, salt: Any) -> None:
    engine = engines(step_tokens=24)
    request = engine.add("a", PROMPT, **salt)
    engine.run(until=lambda: request.num_computed_tokens == 72)
    engine.abort(["a"])
    engine.run()
    assert sessions(server) == 1
    churn(engine, salt, 6)
    assert hit_elsewhere(engines, salt) == 64


def test_abort_during_a_load(engines: Any, salt: Any) -> None:
    other_engine = engines(is_lazy=False)
    other_engine.complete("cold", PROMPT, **salt)
    engine = engines()
    gate = Gate(engine.workers[0], "retrieve")
    engine.add("a", PROMPT, **salt)
    engine.run(until=lambda: bool(gate.held))
    engine.abort(["a"])
    engine.step()
    gate.open()
    engine.run()
    assert engine.workers[0].received == ["a"] and engine.workers[0].sent == []
    assert engine.free_blocks() == 39


def test_preempted_request_is_stored_in_the_end(engines: Any, salt: Any) -> None:
    engine = engines(blocks=24)
    for name, seed in (("a", 1), ("b", 2)):
        engine.add(name, other(seed, 80), most=60, **salt)
    engine.run()
    assert sum(request.num_preemptions for request in engine.requests.values()) > 0
    for name, seed in (("a", 1), ("b", 2)):
        assert list(engine.requests[name].output_token_ids) == expected(other(seed, 80), 60)
    churn(engine, salt, 4)
    found = [hit_elsewhere(engines, salt, other(seed, 80)) for seed in (1, 2)]
    assert max(found) >= 64


def test_age_limit_stores_while_the_request_runs(engines: Any, salt: Any) -> None:
    engine = engines(options={"lazy_offload_max_deferral_seconds": 0.0001})
    engine.add("a", PROMPT, most=40, **salt)
    engine.run(until=lambda: counts(engine)["emitted"] == 2 and counts(engine)["on_their_way"] == 0)
    assert not engine.requests["a"].is_finished() and counts(engine)["emitted_overdue"] == 2
    assert hit_elsewhere(engines, salt) == 96
    engine.run()


def test_failed_store_leaves_out_the_rest(engines: Any, server: RealServer, salt: Any) -> None:
    engine = engines(step_tokens=24, options={"lazy_offload_max_drain_per_step": 1})
    gate = Gate(engine.workers[0], "store")
    engine.complete("a", PROMPT, **salt)
    assert counts(engine)["waiting"] == 4
    request = engine.add("b", other(1, 180), most=2, **salt)
    engine.run(until=lambda: bool(gate.held))
    gate.fail()
    engine.run(until=lambda: counts(engine)["failed"] > 0)
    assert counts(engine)["dropped_failed_store"] > 0
    gate.open()
    engine.run()
    assert list(request.output_token_ids) == expected(other(1, 180), 2)
    assert engine.free_blocks() == 39 and hit_elsewhere(engines, salt) == 0


@pytest.mark.parametrize("seconds", [0, 0.0001])
def test_what_was_computed_on_a_failed_load_is_never_stored(engines: Any, salt: Any, seconds: float) -> None:
    cold = engines(is_lazy=False)
    cold.complete("cold", PROMPT[:52], **salt)
    engine = engines(options={"load_mode": "inline", "lazy_offload_max_deferral_seconds": seconds})
    worker = engine.workers[0]
    gate = Gate(worker, "retrieve")
    worker.on_forward = gate.fail
    engine.add("a", PROMPT, **salt)
    engine.run(until=lambda: worker.connector._worker._withheld_steps > 0)
    worker.on_forward = lambda: None
    gate.open()
    engine.run()
    assert list(engine.requests["a"].output_token_ids) == expected(PROMPT, 4)
    churn(engine, salt, 8)
    assert hit_elsewhere(engines, salt) >= 48


@pytest.mark.parametrize("mode", ["inline", "auto"])
def test_soak_of_loads_within_steps(engines: Any, salt: Any, mode: str) -> None:
    engine = engines(options={"load_mode": mode})
    soak(engine, salt, seed=16, count=40)
    assert counts(engine)["emitted"] > 10


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    "options", [{}, {"lazy_offload_max_deferral_seconds": 0.005}, {**FIFO, "save_decode_cache": True}]
)
def test_soak_with_slow_and_failing_stores_and_resets(
    engines: Any, salt: Any, seed: int, options: dict[str, Any]
) -> None:
    engine = engines(options=options)
    chance = random.Random(seed)
    gates = [Gate(engine.workers[0], "store")]

    def disturb(index: int) -> None:
        what = chance.randrange(8)
        if what == 0:
            engine.scheduler.reset_prefix_cache()
        elif what == 1:
            engine.connector.reset_cache()
        elif what == 2:
            gates[-1].fail()
        if index == 49 or what > 4:
            # What was held back is read only now.
            gates[-1].open()
        if index < 49 and what > 4:
            gates.append(Gate(engine.workers[0], "store"))

    soak(engine, salt, seed=100 + seed, count=50, on_request=disturb)
    assert counts(engine)["on_their_way"] == 0 and counts(engine)["emitted"] > 0


def test_first_come_waits_for_enough_requests_that_are_over(engines: Any, salt: Any) -> None:
    engine = engines(options=FIFO)
    engine.complete("a", PROMPT, **salt)
    engine.complete("b", other(1, 40), most=2, **salt)
    assert counts(engine)["emitted"] == 0
    engine.complete("c", other(2, 40), most=2, **salt)
    assert counts(engine)["emitted"] == 2 and hit_elsewhere(engines, salt) == 96


def test_name_that_comes_again(engines: Any, server: RealServer, salt: Any) -> None:
    engine = engines()
    engine.complete("a", PROMPT, **salt)
    assert sessions(server) == 1
    assert engine.complete("a", other(5), **salt) == expected(other(5), 4)
    churn(engine, salt, 8)
    assert hit_elsewhere(engines, salt) == 96 and hit_elsewhere(engines, salt, other(5)) == 96


def test_server_that_is_away_costs_nothing_but_the_stores(tmp_path: Path, salt: Any) -> None:
    server = RealServer()
    options = {"lazy_offload": True, "heartbeat_interval": 0.1, "mq_timeout": 1}
    engine = Engine(Setup(url=server.url, folder=tmp_path, prefix_caching=True, blocks=40, options=options))
    try:
        engine.complete("a", PROMPT, **salt)
        server.kill()
        churn(engine, salt, 8)
        assert engine.free_blocks() == 39
        scheduler, worker = engine.connector._scheduler.adapter, engine.workers[0].connector._worker.adapter
        eventually(lambda: not scheduler.is_healthy, 10)
        away = counts(engine)["emitted"]
        churn(engine, salt, 4, start=1500)
        assert counts(engine)["emitted"] == away
        server.start()
        eventually(lambda: scheduler.is_healthy and worker.is_healthy, 10)
        failed = counts(engine)["failed"]
        churn(engine, salt, 8, start=2000)
        assert counts(engine)["emitted"] > away and counts(engine)["failed"] == failed
        eventually(lambda: leases(server) == 0)
    finally:
        engine.shutdown()
        server.stop()


def test_engine_without_prefix_caching_is_refused(server: RealServer, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="lazy_offload requires vLLM prefix caching"):
        Engine(Setup(url=server.url, folder=tmp_path, options={"lazy_offload": True}))


@pytest.mark.parametrize("hook", ["bind_gpu_block_pool", "build_connector_worker_meta", "has_pending_push_work"])
def test_older_engine_is_refused(
    server: RealServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hook: str
) -> None:
    from vllm.distributed.kv_transfer.kv_connector.v1.base import KVConnectorBase_V1

    monkeypatch.delattr(KVConnectorBase_V1, hook)
    with pytest.raises(ValueError, match=f"needs a newer vLLM: this one's connectors have no {hook}"):
        Engine(Setup(url=server.url, folder=tmp_path, prefix_caching=True, options={"lazy_offload": True}))
