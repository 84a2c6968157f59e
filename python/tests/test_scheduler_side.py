# lmcache · SPDX-License-Identifier: Apache-2.0
"""The connector's scheduler half driven by hand; chunks of 16 tokens, blocks of 8."""

from __future__ import annotations

import pickle
from types import SimpleNamespace
from typing import Any

import pytest
from fabricated import StubAdapter, output, request

from lmcache.integration.vllm.geometry import Geometry, LayerGroup
from lmcache.integration.vllm.scheduler_side import SchedulerSide

TOKENS = list(range(100, 170))


@pytest.fixture
def adapter() -> StubAdapter:
    return StubAdapter()


@pytest.fixture
def side(adapter: StubAdapter) -> SchedulerSide:
    return make(adapter)


def make(adapter: Any, groups: tuple[LayerGroup, ...] = (LayerGroup(0, 8),), **more: Any) -> SchedulerSide:
    options: dict[str, Any] = {"is_storing": True, "save_decode_cache": False, **more}
    return SchedulerSide(adapter, Geometry(groups), **options)


def ranges(entries: list[Any]) -> list[tuple[int, int, int, list[list[int]]]]:
    return [(e.op.start, e.op.end, e.op.skip_first_n_tokens, e.op.block_ids) for e in entries]


def test_pending_lookup_changes_nothing(side: SchedulerSide, adapter: StubAdapter) -> None:
    adapter.hits["a"] = None
    a = request("a", TOKENS)
    assert side.matched_tokens(a, 0) == (None, True)
    assert side.matched_tokens(a, 0) == (None, True)
    assert len(adapter.lookups) == 1


def test_cold_prompt_is_stored_chunk_by_chunk(side: SchedulerSide) -> None:
    a = request("a", TOKENS)
    assert side.matched_tokens(a, 0) == (0, False)
    side.blocks_allocated(a, [[1, 2, 3]], 0)
    first = side.plan(output(new=[("a", [[1, 2, 3]], 0, 24)]))
    assert ranges(first.stores) == [(0, 16, 0, [[1, 2]])]
    second = side.plan(output(running=[("a", [[4, 5, 6]], 24, 24)]))
    assert ranges(second.stores) == [(16, 48, 0, [[3, 4, 5, 6]])]
    third = side.plan(output(running=[("a", [[7, 8, 9]], 48, 22)]))
    assert ranges(third.stores) == [(48, 64, 0, [[7, 8]])]
    assert list(third.stores[0].op.token_ids) == TOKENS
    decode = side.plan(output(running=[("a", None, 70, 1)]))
    assert not decode.stores and not decode.loads
    assert side.finished(a) == (True, None)


def test_stores_never_go_beyond_allocated_blocks_of_any_group(adapter: StubAdapter) -> None:
    side = make(adapter, (LayerGroup(0, 8), LayerGroup(1, 16)))
    a = request("a", TOKENS)
    side.matched_tokens(a, 0)
    side.blocks_allocated(a, [[1, 2, 3, 4, 5, 6], [9, 8]], 0)
    plan = side.plan(output(new=[("a", [[1, 2, 3, 4, 5, 6], [9, 8]], 0, 48)]))
    assert ranges(plan.stores) == [(0, 32, 0, [[1, 2, 3, 4], [9, 8]])]


def test_hit_is_loaded_once_and_only_the_rest_is_stored(side: SchedulerSide, adapter: StubAdapter) -> None:
    adapter.hits["a"] = 48
    a = request("a", TOKENS)
    assert side.matched_tokens(a, 8) == (40, True)
    side.blocks_allocated(a, [[1, 2, 3, 4, 5, 6]], 40)
    plan = side.plan(output())
    assert ranges(plan.loads) == [(0, 48, 8, [[1, 2, 3, 4, 5, 6]])]
    assert not side.plan(output()).loads
    side.blocks_allocated(a, [[1, 2, 3, 4, 5, 6, 7, 8, 9]], 0)
    plan = side.plan(output(new=[("a", [[1, 2, 3, 4, 5, 6, 7, 8, 9]], 48, 22)]))
    assert not plan.loads
    assert ranges(plan.stores) == [(48, 64, 0, [[7, 8]])]
    assert adapter.freed == []


def test_whole_chunks_that_the_engine_has_are_given_back(side: SchedulerSide, adapter: StubAdapter) -> None:
    adapter.hits["a"] = 64
    a = request("a", TOKENS)
    assert side.matched_tokens(a, 24) == (40, True)
    side.blocks_allocated(a, [[1, 2, 3, 4, 5, 6, 7, 8]], 40)
    side.blocks_allocated(a, [[1, 2, 3, 4, 5, 6, 7, 8, 9]], 0)
    assert adapter.freed == [("a", 0, 24)]
    assert ranges(side.plan(output()).loads) == [(16, 64, 8, [[3, 4, 5, 6, 7, 8]])]


def test_full_hit_leaves_one_token_to_compute(side: SchedulerSide, adapter: StubAdapter) -> None:
    adapter.hits["a"] = 64
    a = request("a", TOKENS[:64])
    assert side.matched_tokens(a, 0) == (63, True)
    side.blocks_allocated(a, [list(range(1, 9))], 63)
    assert ranges(side.plan(output()).loads) == [(0, 64, 0, [list(range(1, 9))])]


def test_hit_not_beyond_the_engines_own_gives_all_back(side: SchedulerSide, adapter: StubAdapter) -> None:
    adapter.hits["a"] = 32
    a = request("a", TOKENS)
    assert side.matched_tokens(a, 32) == (0, False)
    side.blocks_allocated(a, [[1, 2, 3, 4, 5]], 0)
    side.blocks_allocated(a, [[1, 2, 3, 4, 5]], 0)
    assert adapter.freed == [("a", 0, 32)]
    plan = side.plan(output(new=[("a", [[1, 2, 3, 4, 5, 6, 7, 8, 9]], 32, 38)]))
    assert ranges(plan.stores) == [(32, 64, 0, [[5, 6, 7, 8]])]


def test_request_aborted_before_its_blocks_gives_leases_back(side: SchedulerSide, adapter: StubAdapter) -> None:
    adapter.hits["a"] = 64
    a = request("a", TOKENS)
    side.matched_tokens(a, 0)
    assert side.finished(a) == (False, None)
    assert adapter.freed == [("a", 0, 64)]
    assert adapter.ended == ["a"]
    assert side.trackers == {}


def test_request_aborted_while_its_lookup_runs(side: SchedulerSide, adapter: StubAdapter) -> None:
    adapter.hits["a"] = None
    a = request("a", TOKENS)
    side.matched_tokens(a, 0)
    assert side.finished(a) == (False, None)
    assert adapter.freed == [("a", 0, 70)]
    assert adapter.ended == ["a"]


def test_request_aborted_during_its_load_keeps_no_blocks_for_stores(side: SchedulerSide, adapter: StubAdapter) -> None:
    adapter.hits["a"] = 64
    a = request("a", TOKENS)
    side.matched_tokens(a, 0)
    side.blocks_allocated(a, [list(range(1, 9))], 64)
    side.plan(output())
    assert side.finished(a) == (False, None)


def test_failed_load_is_computed_and_not_tried_again(side: SchedulerSide, adapter: StubAdapter) -> None:
    adapter.hits["a"] = 64
    a = request("a", TOKENS)
    side.matched_tokens(a, 0)
    side.blocks_allocated(a, [list(range(1, 9))], 64)
    side.plan(output())
    assert side.matched_tokens(a, 0) == (0, False)
    assert side.matched_tokens(a, 0) == (0, False)
    side.blocks_allocated(a, [list(range(11, 20))], 0)
    plan = side.plan(output(new=[("a", [list(range(11, 20))], 0, 70)]))
    assert ranges(plan.stores) == [(0, 64, 0, [list(range(11, 19))])]
    assert not plan.loads


def test_preempted_request_is_looked_up_again(side: SchedulerSide, adapter: StubAdapter) -> None:
    a = request("a", TOKENS)
    side.matched_tokens(a, 0)
    side.blocks_allocated(a, [[1, 2, 3, 4]], 0)
    side.plan(output(new=[("a", [[1, 2, 3, 4]], 0, 32)]))
    assert side.plan(output(preempted={"a"})).must_flush
    a.num_preemptions = 1
    adapter.hits["a"] = 32
    assert side.matched_tokens(a, 0) == (0, False)  # the old result was dropped, the new one is 0 so far
    side.trackers["a"].cache_hit = 0
    adapter.hits["a"] = 32
    assert side.matched_tokens(a, 0) == (32, True)
    assert len(adapter.lookups) == 2
    side.blocks_allocated(a, [[5, 6, 7, 8]], 32)
    assert ranges(side.plan(output()).loads) == [(0, 32, 0, [[5, 6, 7, 8]])]
    blocks = [[5, 6, 7, 8, 9, 10, 11, 12, 13]]
    plan = side.plan(output(running=[("a", blocks, 32, 38)], resumed={"a"}))
    assert plan.must_flush
    assert ranges(plan.stores) == [(32, 64, 0, [[9, 10, 11, 12]])]


def test_request_options(side: SchedulerSide, adapter: StubAdapter) -> None:
    parameters = {"kv_transfer_params": {"lmcache.max_offload_tokens": 40, "other": 1}}
    a = request("a", TOKENS, sampling_params=SimpleNamespace(extra_args=parameters), cache_salt="s")
    side.matched_tokens(a, 0)
    assert adapter.lookups == [("a", TOKENS, "s", {"lmcache.max_offload_tokens": 40})]
    side.blocks_allocated(a, [list(range(9))], 0)
    plan = side.plan(output(new=[("a", [list(range(9))], 0, 70)]))
    assert ranges(plan.stores) == [(0, 32, 0, [[0, 1, 2, 3]])]
    assert plan.stores[0].cache_salt == "s"


def test_adapters_of_the_model_do_not_share(side: SchedulerSide, adapter: StubAdapter) -> None:
    lora = SimpleNamespace(lora_name="one", lora_path="/one")
    side.matched_tokens(request("a", TOKENS, lora_request=lora), 0)
    side.matched_tokens(request("b", TOKENS), 0)
    assert adapter.lookups[0][2] != adapter.lookups[1][2]


def test_embeddings_are_never_cached(side: SchedulerSide, adapter: StubAdapter) -> None:
    a = request("a", [0] * 64, prompt_token_ids=None, prompt_embeds=object())
    assert side.matched_tokens(a, 0) == (0, False)
    assert adapter.lookups == [("a", [], "", None)]
    side.blocks_allocated(a, [list(range(8))], 0)
    assert not side.plan(output(new=[("a", [list(range(8))], 0, 64)])).stores


def test_decoded_tokens_are_stored_when_wanted(adapter: StubAdapter) -> None:
    side = make(adapter, save_decode_cache=True)
    a = request("a", TOKENS[:20])
    side.matched_tokens(a, 0)
    side.blocks_allocated(a, [[1, 2, 3]], 0)
    side.plan(output(new=[("a", [[1, 2, 3]], 0, 20)]))
    a.all_token_ids = TOKENS[:33]
    plan = side.plan(output(running=[("a", [[4, 5]], 20, 13)]))
    assert ranges(plan.stores) == [(16, 32, 0, [[3, 4]])]
    assert list(plan.stores[0].op.token_ids) == TOKENS[:32]


def test_consumer_stores_nothing(adapter: StubAdapter) -> None:
    side = make(adapter, is_storing=False)
    a = request("a", TOKENS)
    side.matched_tokens(a, 0)
    side.blocks_allocated(a, [list(range(9))], 0)
    assert not side.plan(output(new=[("a", [list(range(9))], 0, 70)])).stores
    assert side.finished(a) == (False, None)


def test_statistics_when_asked_for(side: SchedulerSide, adapter: StubAdapter) -> None:
    adapter.hits["a"] = 48
    a = request("a", TOKENS, kv_transfer_params={"cached_token_stats": True})
    side.matched_tokens(a, 16)
    _, parameters = side.finished(a)
    assert parameters == {
        "cached_token_stats": {
            "num_vllm_cached_tokens": 16,
            "num_lmcache_cached_tokens": 48,
            "num_lmcache_extra_cached_tokens": 32,
        }
    }


def test_plans_pickle_and_are_empty_on_idle_steps(side: SchedulerSide) -> None:
    plan = side.plan(output())
    assert pickle.loads(pickle.dumps(plan)) == plan
    assert (plan.loads, plan.stores, plan.must_flush) == ([], [], False)


def test_chunk_must_be_whole_blocks(adapter: StubAdapter) -> None:
    with pytest.raises(ValueError, match="chunk size 16 is not a multiple"):
        make(adapter, (LayerGroup(0, 12),))


def test_windowed_stores_end_before_the_next_step(adapter: StubAdapter) -> None:
    side = make(adapter, (LayerGroup(0, 8), LayerGroup(1, 8, window=16)))
    a = request("a", TOKENS)
    side.matched_tokens(a, 0)
    blocks = [list(range(1, 10)), list(range(11, 20))]
    side.blocks_allocated(a, blocks, 0)
    assert not side.plan(output(new=[("a", blocks, 0, 70)])).must_flush
    assert side.plan(output(running=[("a", None, 70, 1)])).must_flush
    assert not side.plan(output(running=[("a", None, 71, 1)])).must_flush


class CountingTracker:
    """Counts how often a tracker is looked at by the steps."""

    def __init__(self, side: SchedulerSide) -> None:
        self.count = 0
        advance = side._advance

        def counted(*arguments: Any) -> None:
            self.count += 1
            advance(*arguments)

        side._advance = counted  # type: ignore[method-assign]


def test_short_prompts_are_not_looked_at_while_they_are_answered(side: SchedulerSide) -> None:
    a = request("a", TOKENS[:10])
    side.matched_tokens(a, 0)
    side.blocks_allocated(a, [[1, 2]], 0)
    side.plan(output(new=[("a", [[1, 2]], 0, 10)]))
    looks = CountingTracker(side)
    for computed in range(10, 60):
        assert not side.plan(output(running=[("a", [[computed]] if computed % 8 == 0 else None, computed, 1)])).stores
    assert looks.count == 0


def test_decoding_requests_are_looked_at_once_a_chunk(adapter: StubAdapter) -> None:
    side = make(adapter, save_decode_cache=True)
    names = [f"r{index}" for index in range(8)]
    requests = {name: request(name, list(TOKENS[:20])) for name in names}
    first = {name: 10 * index + 1 for index, name in enumerate(names)}
    for name, one in requests.items():
        side.matched_tokens(one, 0)
        side.blocks_allocated(one, [[first[name], first[name] + 1, first[name] + 2]], 0)
    side.plan(output(new=[(name, [[first[name], first[name] + 1, first[name] + 2]], 0, 20) for name in names]))
    looks = CountingTracker(side)
    stored: dict[str, list[tuple[int, int]]] = {name: [] for name in names}
    for computed in range(20, 52):
        running = []
        for name, one in requests.items():
            one.all_token_ids.append(computed)
            blocks = [[first[name] + computed // 8]] if computed % 8 == 0 else None
            running.append((name, blocks, computed, 1))
        for entry in side.plan(output(running=running)).stores:
            stored[entry.request_id].append((entry.op.start, entry.op.end))
            start = first[entry.request_id] + entry.op.start // 8
            assert entry.op.block_ids == [[start, start + 1]]
    assert stored == {name: [(16, 32), (32, 48)] for name in names}
    assert looks.count == 2 * len(names)


def test_request_that_pauses_is_stored_when_it_goes_on(adapter: StubAdapter) -> None:
    side = make(adapter, save_decode_cache=True)
    for name in ("a", "b"):
        one = request(name, list(TOKENS[:40]))
        side.matched_tokens(one, 0)
        side.blocks_allocated(one, [[1, 2, 3, 4, 5]], 0)
    side.plan(output(new=[("a", [[1, 2, 3, 4, 5]], 0, 20), ("b", [[6, 7, 8, 9, 10]], 0, 20)]))
    assert not side.plan(output(running=[("b", None, 20, 10)])).stores
    assert ranges(side.plan(output(running=[("b", None, 30, 10)])).stores) == [(16, 32, 0, [[8, 9]])]
    plan = side.plan(output(running=[("a", None, 20, 20)]))
    assert ranges(plan.stores) == [(16, 32, 0, [[3, 4]])]


def test_tokens_that_a_step_takes_back_are_not_stored(adapter: StubAdapter) -> None:
    side = make(adapter, save_decode_cache=True)
    a = request("a", list(TOKENS[:30]))
    side.matched_tokens(a, 0)
    side.blocks_allocated(a, [[1, 2, 3, 4, 5]], 0)
    side.plan(output(new=[("a", [[1, 2, 3, 4, 5]], 0, 30)]))
    # Four guessed tokens, of which the engine keeps one: it comes back with a smaller number.
    assert not side.plan(output(running=[("a", None, 30, 4)])).stores
    a.all_token_ids.append(7)
    assert not side.plan(output(running=[("a", None, 31, 1)])).stores
    a.all_token_ids.append(8)
    assert ranges(side.plan(output(running=[("a", None, 32, 1)])).stores) == [(16, 32, 0, [[3, 4]])]


def test_most_offloaded_tokens_end_the_looks(adapter: StubAdapter) -> None:
    side = make(adapter, save_decode_cache=True)
    sampling = SimpleNamespace(extra_args={"kv_transfer_params": {"lmcache.max_offload_tokens": 20}})
    a = request("a", list(TOKENS), sampling_params=sampling)
    side.matched_tokens(a, 0)
    side.blocks_allocated(a, [list(range(1, 10))], 0)
    plan = side.plan(output(new=[("a", [list(range(1, 10))], 0, 70)]))
    assert ranges(plan.stores) == [(0, 16, 0, [[1, 2]])]
    looks = CountingTracker(side)
    for computed in range(70, 120):
        side.plan(output(running=[("a", None, computed, 1)]))
    assert looks.count == 0
