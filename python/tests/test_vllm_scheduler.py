# lmcache · SPDX-License-Identifier: Apache-2.0
"""vLLM's scheduler with our connector over the real server: the duties of a connector, one by one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gates import Gate
from real_server import RealServer, leases
from waiting import eventually

pytest.importorskip("torch")
pytest.importorskip("vllm")

from scheduler_harness import Engine, Setup, expected, full, soak, states, window  # noqa: E402

PROMPT = [7 * index % 991 for index in range(100)]
"""Six chunks and four tokens."""


@pytest.fixture(scope="module")
def server() -> Iterator[RealServer]:
    server = RealServer("--separate-object-groups")
    yield server
    server.stop()


@pytest.fixture
def engines(server: RealServer, tmp_path: Path) -> Iterator[Any]:
    made: list[Engine] = []

    def make(**more: Any) -> Engine:
        engine = Engine(Setup(**{"url": server.url, "folder": tmp_path, **more}))
        made.append(engine)
        return engine

    yield make
    for engine in made:
        engine.shutdown()
    eventually(lambda: leases(server) == 0)


@pytest.fixture
def salt(request: Any) -> dict[str, str]:
    """Keeps the tests of one server apart."""
    return {"cache_salt": request.node.name.replace("[", "-").replace("]", "")}


def plans(engine: Engine) -> list[Any]:
    """Collects the plan of every step from now on."""
    seen: list[Any] = []
    engine.on_step = lambda output: seen.append(output.kv_connector_metadata.plan)
    return seen


@pytest.mark.parametrize("mode", ["engine_driven", "lmcache_driven"])
def test_second_prompt_is_loaded(engines: Any, salt: Any, mode: str) -> None:
    engine = engines(options={"mp_transfer_mode": mode})
    assert engine.complete("cold", PROMPT, **salt) == expected(PROMPT, 4)
    assert engine.complete("warm", PROMPT, **salt) == expected(PROMPT, 4)
    assert (engine.hits["cold"], engine.hits["warm"]) == (0, 96)
    assert engine.free_blocks() == engine.setup.blocks - 1


def test_pending_lookup_keeps_the_request_waiting(engines: Any, salt: Any) -> None:
    engine = engines()
    adapter = engine.connector._scheduler.adapter
    check, adapter.check_lookup_result = adapter.check_lookup_result, lambda _: None
    engine.add("a", PROMPT, **salt)
    for _ in range(5):
        assert engine.step().total_num_scheduled_tokens == 0
    assert len(engine.connector._scheduler.trackers) == 1
    adapter.check_lookup_result = check
    engine.run()
    assert list(engine.requests["a"].output_token_ids) == expected(PROMPT, 4)


def test_hit_of_the_whole_prompt_leaves_one_token(engines: Any, salt: Any) -> None:
    engine = engines()
    engine.complete("cold", PROMPT[:96], **salt)
    assert engine.complete("warm", PROMPT[:96], **salt) == expected(PROMPT[:96], 4)
    assert engine.hits["warm"] == 95


def test_hit_that_the_engine_has_itself_gives_leases_back(engines: Any, server: RealServer, salt: Any) -> None:
    engine = engines(prefix_caching=True)
    engine.complete("cold", PROMPT, **salt)
    engine.add("warm", PROMPT, most=50, **salt)
    engine.run(until=lambda: "warm" in engine.hits)
    assert engine.hits["warm"] == 96
    eventually(lambda: leases(server) == 0)
    engine.run()
    assert engine.workers[0].received == []


def test_longer_hit_than_the_engines_own_is_loaded_behind_it(engines: Any, salt: Any) -> None:
    other = engines()
    other.complete("cold", PROMPT, **salt)
    engine = engines(prefix_caching=True)
    engine.complete("short", PROMPT[:44], **salt)
    assert engine.complete("long", PROMPT, **salt) == expected(PROMPT, 4)
    assert engine.hits["long"] == 96 and engine.workers[0].received == ["short", "long"]


def test_chunked_prefill_stores_each_chunk_once(engines: Any, salt: Any) -> None:
    engine = engines(step_tokens=24)
    seen = plans(engine)
    engine.complete("a", PROMPT, **salt)
    ranges = [(entry.op.start, entry.op.end) for plan in seen for entry in plan.stores]
    assert ranges == [(0, 16), (16, 48), (48, 64), (64, 96)]
    assert all(len(entry.op) == (entry.op.end - entry.op.start) // 8 for plan in seen for entry in plan.stores)


def test_end_is_told_once_after_all_stores(engines: Any, salt: Any) -> None:
    engine = engines(step_tokens=24)
    gate = Gate(engine.workers[0], "store")
    request = engine.add("a", PROMPT, **salt)
    engine.run(until=request.is_finished)
    for _ in range(3):
        engine.step()
    assert engine.workers[0].sent == [] and engine.free_blocks() < engine.setup.blocks - 1
    gate.open()
    engine.run()
    assert engine.workers[0].sent == ["a"]
    assert engine.complete("b", PROMPT, **salt) == expected(PROMPT, 4)
    assert engine.hits["b"] == 96 and engine.workers[0].sent == ["a"]


def test_abort_during_a_load(engines: Any, salt: Any) -> None:
    engine = engines()
    engine.complete("cold", PROMPT, **salt)
    gate = Gate(engine.workers[0], "retrieve")
    engine.add("a", PROMPT, **salt)
    engine.run(until=lambda: bool(gate.held))
    engine.abort(["a"])
    engine.step()
    assert engine.free_blocks() < engine.setup.blocks - 1
    gate.open()
    engine.run()
    assert engine.workers[0].received == ["a"] and engine.workers[0].sent == ["cold"]
    assert engine.free_blocks() == engine.setup.blocks - 1


def test_abort_before_a_load(engines: Any, salt: Any) -> None:
    engine = engines()
    engine.complete("cold", PROMPT, **salt)
    engine.add("a", PROMPT, **salt)
    engine.abort(["a"])
    engine.run()
    assert engine.workers[0].received == []


@pytest.mark.parametrize("groups", [1, 2])
def test_failed_load_is_computed(engines: Any, salt: Any, groups: int) -> None:
    engine = engines(groups=[full(), window(24)][:groups])
    engine.complete("cold", PROMPT, **salt)
    gate = Gate(engine.workers[0], "retrieve")
    engine.add("a", PROMPT, **salt)
    engine.run(until=lambda: bool(gate.held))
    gate.fail()
    engine.run()
    assert list(engine.requests["a"].output_token_ids) == expected(PROMPT, 4)
    assert engine.workers[0].received == ["a"] and not gate.held and not engine.errors


def test_failed_load_fails_the_request_when_that_is_wanted(engines: Any, salt: Any) -> None:
    engine = engines(policy="fail")
    engine.complete("cold", PROMPT, **salt)
    gate = Gate(engine.workers[0], "retrieve")
    engine.add("a", PROMPT, **salt)
    engine.run(until=lambda: bool(gate.held))
    gate.fail()
    engine.run()
    assert engine.errors == {"a"} and engine.free_blocks() == engine.setup.blocks - 1


@pytest.mark.parametrize("mode", ["engine_driven", "lmcache_driven"])
def test_preemption_and_aborts_leave_no_wrong_byte(engines: Any, salt: Any, mode: str) -> None:
    engine = engines(blocks=40, prefix_caching=True, options={"mp_transfer_mode": mode})
    soak(engine, salt, seed=1, count=40)


def test_two_ranks(engines: Any, salt: Any) -> None:
    engine = engines(ranks=2, blocks=40)
    engine.complete("cold", PROMPT, **salt)
    gate = Gate(engine.workers[1], "retrieve")
    engine.add("warm", PROMPT, **salt)
    engine.run(until=lambda: engine.workers[0].received == ["warm"])
    assert "warm" not in engine.hits
    gate.open()
    engine.run()
    assert list(engine.requests["warm"].output_token_ids) == expected(PROMPT, 4)
    assert engine.hits["warm"] == 96
    soak(engine, salt, seed=2, count=20)


@pytest.mark.parametrize("groups", [1, 2])
def test_load_that_fails_on_one_rank_is_computed_on_both(engines: Any, salt: Any, groups: int) -> None:
    engine = engines(ranks=2, groups=[full(), window(24)][:groups])
    engine.complete("cold", PROMPT, **salt)
    gate = Gate(engine.workers[1], "retrieve")
    engine.add("a", PROMPT, **salt)
    engine.run(until=lambda: engine.workers[0].received == ["a"])
    gate.fail()
    engine.run()
    assert list(engine.requests["a"].output_token_ids) == expected(PROMPT, 4)
    gate.open()
    assert engine.complete("b", PROMPT[:40], **salt) == expected(PROMPT[:40], 4)


def test_one_rank_stores_what_all_have(engines: Any, salt: Any) -> None:
    engine = engines(ranks=2, is_mla=True)
    gates = [Gate(worker, "store") for worker in engine.workers]
    engine.add("a", PROMPT, **salt)
    engine.run(until=lambda: engine.requests["a"].is_finished())
    assert gates[0].held and not gates[1].held
    for gate in gates:
        gate.open()
    engine.run()
    assert [worker.sent for worker in engine.workers] == [["a"], ["a"]]
    assert engine.complete("b", PROMPT, **salt) == expected(PROMPT, 4)
    assert engine.hits["b"] == 96


def test_several_groups(engines: Any, salt: Any) -> None:
    engine = engines(groups=[full(), window(24)], blocks=80)
    assert engine.complete("cold", PROMPT, **salt) == expected(PROMPT, 4)
    assert engine.complete("warm", PROMPT, **salt) == expected(PROMPT, 4)
    assert engine.hits["warm"] == 96
    soak(engine, salt, seed=3, count=20)


@pytest.mark.parametrize("caching", [False, True])
@pytest.mark.parametrize("length", [8, 16, 40])
def test_several_groups_under_pressure(engines: Any, salt: Any, caching: bool, length: int) -> None:
    engine = engines(groups=[full(), window(length)], blocks=60, prefix_caching=caching, step_tokens=40)
    soak(engine, salt, seed=4, count=30)


def test_groups_with_blocks_of_different_sizes(engines: Any, salt: Any) -> None:
    engine = engines(groups=[full(8), window(32, 16)], blocks=80)
    assert engine.complete("cold", PROMPT, **salt) == expected(PROMPT, 4)
    assert engine.complete("warm", PROMPT, **salt) == expected(PROMPT, 4)
    assert engine.hits["warm"] == 96


@pytest.mark.parametrize("options", [(), ("--separate-object-groups",)])
@pytest.mark.parametrize("length", [8, 20, 24, 40])
def test_blocks_that_left_a_window_are_never_stored(
    tmp_path: Path, salt: Any, options: tuple[str, ...], length: int
) -> None:
    server = RealServer(*options)
    try:
        setup = {"url": server.url, "folder": tmp_path, "groups": [full(), window(length)]}
        first = Engine(Setup(**setup, prefix_caching=True))
        for size in (100, 60, 44):
            # The engine keeps the prompt, but of the window only its end, and the cache has lost it.
            first.complete(f"cold-{size}", PROMPT[:size], **salt)
            assert first.connector.reset_cache()
            first.complete(f"again-{size}", PROMPT[:size] + [size], **salt)
            second = Engine(Setup(**setup, role="kv_consumer"))
            for end in range(20, size, 8):
                assert second.complete(f"warm-{end}", PROMPT[:end], **salt) == expected(PROMPT[:end], 4)
            second.shutdown()
        first.shutdown()
        eventually(lambda: leases(server) == 0)
    finally:
        server.stop()


@pytest.mark.parametrize("caching", [False, True])
@pytest.mark.parametrize("step_tokens", [16, 40, 64])
def test_states_are_loaded_only_where_there_is_one(
    engines: Any, salt: Any, caching: bool, step_tokens: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lmcache.integration.vllm.state_pages.as_blocks", lambda _, caches, __: caches)
    engine = engines(groups=[full(), states()], blocks=80, step_tokens=step_tokens, prefix_caching=caching)
    assert engine.complete("cold", PROMPT, **salt) == expected(PROMPT, 4)
    other = engines(groups=[full(), states()], blocks=80, step_tokens=step_tokens)
    assert other.complete("warm", PROMPT, **salt) == expected(PROMPT, 4)
    assert other.hits["warm"] % 16 == 0
    assert step_tokens != 16 or other.hits["warm"] == 96
    soak(engine, salt, seed=5, count=15)


def test_recurrent_layers_in_cpu_memory_are_refused(server: RealServer, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="recurrent layers cannot be cached from CPU memory"):
        Engine(Setup(url=server.url, folder=tmp_path, groups=[full(), states()]))


def test_idle_steps_carry_nothing(engines: Any, salt: Any) -> None:
    engine = engines()
    seen = plans(engine)
    engine.complete("a", PROMPT, most=20, **salt)
    decode = seen[-10:]
    assert not any(plan.loads or plan.stores or plan.must_flush for plan in decode)


def test_generated_tokens_are_stored_when_that_is_wanted(engines: Any, salt: Any) -> None:
    engine = engines(options={"save_decode_cache": True})
    answer = engine.complete("a", PROMPT, most=30, **salt)
    assert engine.complete("b", PROMPT + answer, **salt) == expected(PROMPT + answer, 4)
    assert engine.hits["b"] == 128


def test_request_can_limit_what_is_stored(engines: Any, salt: Any) -> None:
    engine = engines()
    limit = {"kv_transfer_params": {"lmcache.max_offload_tokens": 50}}
    engine.complete("a", PROMPT, extra_args=limit, **salt)
    engine.complete("b", PROMPT, **salt)
    assert engine.hits["b"] == 48


def test_prompts_are_looked_up_on_arrival_when_that_is_wanted(engines: Any, salt: Any) -> None:
    engine = engines(options={"eager_prefetch": True})
    engine.complete("cold", PROMPT, **salt)
    engine.add("warm", PROMPT, **salt)
    assert "warm" in engine.connector._scheduler.trackers
    engine.run()
    assert engine.hits["warm"] == 96


def test_consumer_stores_nothing(engines: Any, salt: Any) -> None:
    engine = engines(role="kv_consumer")
    engine.complete("a", PROMPT, **salt)
    engine.complete("b", PROMPT, **salt)
    assert engine.hits["b"] == 0 and engine.workers[0].sent == []


def test_statistics_reach_the_client_and_the_metrics(engines: Any, salt: Any) -> None:
    engine = engines()
    engine.complete("cold", PROMPT, **salt)
    engine.complete("warm", PROMPT, **salt)
    seconds = [value for data in engine.stats for value in data["lookup_duration_seconds"]]
    assert len(seconds) == 2 and all(0 <= value < 5 for value in seconds)
