# lmcache · SPDX-License-Identifier: Apache-2.0
"""Offers, loads and saves as decisions, without a server."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from tensorrt_interface import RequestData, SchedulerOutput

from lmcache.integration.tensorrt_llm.plans import Offer, RequestState, StepPlanner, offer_of
from lmcache.integration.tensorrt_llm.request_facts import facts_of

CHUNK, BLOCK = 8, 4
TOKENS = list(range(30))


@pytest.mark.parametrize(
    ("length", "found", "computed", "offer"),
    [
        (30, 0, 0, Offer()),
        (30, 24, 0, Offer(24, 0, 24)),
        (30, 16, 0, Offer(16, 0, 16)),
        (30, 24, 12, Offer(12, 8, 24)),
        (30, 16, 16, Offer()),
        (30, 16, 20, Offer()),
        (30, 24, 10, Offer()),  # A block that the engine fills itself.
        (24, 24, 0, Offer(20, 0, 24)),  # One token must be left, and blocks whole.
        (25, 24, 0, Offer(24, 0, 24)),
        (8, 8, 4, Offer()),
        (8, 8, 0, Offer(4, 0, 8)),
        (3, 0, 0, Offer()),
    ],
)
def test_offer(length: int, found: int, computed: int, offer: Offer) -> None:
    assert offer_of(length, found, computed, CHUNK, BLOCK) == offer


def test_offers_of_all_sizes_leave_a_token_and_cover_what_they_say() -> None:
    for length in range(1, 40):
        for found in range(0, length // CHUNK * CHUNK + 1, CHUNK):
            for computed in range(length):
                offer = offer_of(length, found, computed, CHUNK, BLOCK)
                assert computed + offer.tokens < length
                assert (computed + offer.tokens) % BLOCK == 0 or offer.tokens == 0
                if offer.tokens:
                    assert offer.start <= computed and computed + offer.tokens <= offer.end <= found
                    assert offer.start % CHUNK == offer.end % CHUNK == 0


def state(tokens: list[int], computed: int = 0, found: int = 0, **request: object) -> RequestState:
    offer = offer_of(len(tokens), found, computed, CHUNK, BLOCK)
    return RequestState(SimpleNamespace(**request), "r", tokens, "s", computed, found, offer)


def data(position: int, count: int, blocks: list[int]) -> RequestData:
    return RequestData(1, [], blocks, position, count)


def new(*items: RequestData) -> SchedulerOutput:
    return SchedulerOutput(new_requests=list(items))


def cached(*items: RequestData) -> SchedulerOutput:
    return SchedulerOutput(cached_requests=list(items))


BLOCKS = [50, 51, 52, 53, 54, 55, 56, 57]


def test_miss_saves_whole_chunks_once() -> None:
    planner = StepPlanner(BLOCK)
    planner.add(1, state(TOKENS))
    metadata, unwanted = planner.plan(new(data(0, 30, BLOCKS)), CHUNK)
    assert not metadata.loads and not unwanted
    (save,) = metadata.saves
    assert (save.start, save.end, save.block_ids, save.tokens) == (0, 24, BLOCKS[:6], TOKENS[:24])
    metadata, _ = planner.plan(cached(data(30, 1, [])), CHUNK)
    assert not metadata.saves


def test_chunked_prefill_saves_what_each_step_fills() -> None:
    planner = StepPlanner(BLOCK)
    planner.add(1, state(TOKENS))
    saved = []
    outputs = [new(data(0, 10, BLOCKS)), cached(data(10, 5, [])), cached(data(15, 10, [])), cached(data(25, 5, []))]
    for output in outputs:
        saved.append([(save.start, save.end, save.block_ids) for save in planner.plan(output, CHUNK)[0].saves])
    assert saved == [[(0, 8, BLOCKS[:2])], [], [(8, 24, BLOCKS[2:6])], []]


def test_blocks_that_come_one_step_at_a_time_are_followed() -> None:
    planner = StepPlanner(BLOCK)
    planner.add(1, state(TOKENS))
    assert not planner.plan(new(data(0, 6, [50, 51])), CHUNK)[0].saves
    (save,) = planner.plan(cached(data(6, 14, [52, 53, 54])), CHUNK)[0].saves
    assert (save.start, save.end, save.block_ids) == (0, 16, [50, 51, 52, 53])


def test_hit_loads_and_saves_only_the_rest() -> None:
    planner = StepPlanner(BLOCK)
    planner.add(1, state(TOKENS, computed=4, found=16))
    # The engine leaves the loaded tokens out of the first position that it tells.
    metadata, unwanted = planner.plan(new(data(4, 14, BLOCKS)), CHUNK)
    (load,), (save,) = metadata.loads, metadata.saves
    assert (load.start, load.end, load.skip_tokens, load.block_ids) == (0, 16, 4, BLOCKS[:4])
    assert (save.start, save.end, save.block_ids) == (16, 24, BLOCKS[4:6])
    assert not unwanted


@pytest.mark.parametrize(
    ("taken", "loads", "unwanted"), [(0, [], [(0, 24)]), (4, [(0, 8)], [(8, 24)]), (16, [(0, 16)], [(16, 24)])]
)
def test_engine_that_takes_less_than_offered(
    taken: int, loads: list[tuple[int, int]], unwanted: list[tuple[int, int]]
) -> None:
    planner = StepPlanner(BLOCK)
    planner.add(1, state(TOKENS, found=24, py_num_connector_matched_tokens=taken))
    metadata, freed = planner.plan(new(data(0, 6, BLOCKS)), CHUNK)
    assert [(item.start, item.end) for item in metadata.loads] == loads
    assert [(item.start, item.end) for item in freed] == unwanted


def test_request_allocated_anew_uses_its_new_blocks() -> None:
    planner = StepPlanner(BLOCK)
    planner.add(1, state(TOKENS))
    planner.plan(new(data(0, 30, BLOCKS)), CHUNK)
    planner.add(1, state(TOKENS, found=24))
    again = [70, 71, 72, 73, 74, 75, 76, 77]
    planner.allocated(1, again)
    (load,) = planner.plan(cached(data(0, 6, [])), CHUNK)[0].loads
    assert load.block_ids == again[:6]


def test_blocks_without_a_number_are_not_saved() -> None:
    planner = StepPlanner(BLOCK)
    planner.add(1, state(TOKENS))
    assert not planner.plan(new(data(0, 30, [-1, *BLOCKS[1:]])), CHUNK)[0].saves


def test_requests_nobody_asked_about_are_left_alone() -> None:
    assert not StepPlanner(BLOCK).plan(new(data(0, 30, BLOCKS)), CHUNK)[0].saves


def facts(**more: object) -> object:
    return facts_of(SimpleNamespace(get_tokens=lambda beam: [1, 2], **more))


def test_salts_separate_and_unusable_ones_are_replaced() -> None:
    def salt(**more: object) -> str:
        found = facts_of(SimpleNamespace(get_tokens=lambda beam: [1], **more))
        assert found is not None
        return found.salt

    assert salt() == "" == salt(cache_salt=None)
    assert salt(cache_salt="a") == "a"
    assert salt(cache_salt_id=7) == "id:7"
    assert len(salt(cache_salt="a@b")) == 64
    assert len({salt(cache_salt="x", lora_task_id=1, py_lora_path=path) for path in ("p", "q")}) == 2


@pytest.mark.parametrize(
    "more",
    [
        {"is_dummy_request": True},
        {"multimodal_hashes": [[1]]},
        {"prompt_embedding_table": object()},
        {"lora_task_id": 3},
    ],
)
def test_requests_whose_tokens_do_not_tell_their_content_are_not_cached(more: dict[str, object]) -> None:
    assert facts(**more) is None
