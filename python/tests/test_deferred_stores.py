# lmcache · SPDX-License-Identifier: Apache-2.0
"""Which deferred stores are emitted, shortened and dropped, by tables and by a model of an engine's blocks."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable

import pytest

from lmcache.integration.vllm.deferred_store import StoreBatch
from lmcache.integration.vllm.deferred_stores import DeferredStores
from lmcache.integration.vllm.drain_policies import DrainPolicy, EvictionAware, Fifo, StepPressure

CHUNK, SPAN = 16, 8


class Blocks:
    """What an engine calls the content of its blocks."""

    def __init__(self) -> None:
        self.names: dict[int, str | None] = {}

    def fill(self, request: str, blocks: list[int]) -> None:
        self.names.update({block: f"{request}-{index}" for index, block in enumerate(blocks)})


@pytest.fixture
def blocks() -> Blocks:
    return Blocks()


@pytest.fixture
def stores(blocks: Blocks) -> DeferredStores:
    return DeferredStores(blocks.names.get, CHUNK, (SPAN,))


def admit(
    stores: DeferredStores,
    blocks: Blocks,
    name: str,
    ids: list[int],
    *cuts: int,
    policy: DrainPolicy | None = None,
) -> None:
    """One request that computed its tokens in steps that ended at `cuts`, or in one."""
    blocks.fill(name, ids)
    start = 0
    for now, end in enumerate((*cuts, len(ids) * SPAN)):
        _, store = stores.add(name, start, end, [ids[start // SPAN : end // SPAN]], float(now))
        if store is not None and policy is not None:
            policy.added(store)
        start = end


def ranges(batches: list[StoreBatch]) -> list[tuple[str, int, int, list[int]]]:
    return [(batch.backlog.request_id, batch.start, batch.end, batch.blocks[0]) for batch in batches]


def closes(stores: DeferredStores) -> bool:
    counts = stores.counts
    return counts.admitted == stores.depth + counts.emitted + counts.dropped_evicted + counts.dropped_failed_store


def pressure(
    free: list[int], taken: int = 0, expected: int = 0, now: float = 0.0, finished: set[str] | None = None
) -> StepPressure:
    return StepPressure(now, taken, expected, free, finished or set())


def test_idle_engine_stores_nothing(stores: DeferredStores, blocks: Blocks) -> None:
    admit(stores, blocks, "a", [1, 2, 3, 4])
    assert EvictionAware().drain(stores, pressure([4, 3, 2, 1])) == []
    assert stores.depth == 1


@pytest.mark.parametrize(
    ("free", "expected", "emitted"),
    [
        # 2.5 steps of one block are three blocks.
        ([9, 9, 9, 1], 1, []),
        ([9, 9, 1], 1, [("a", 0, 16, [1, 2])]),
        # The last endangered block takes all before it along.
        ([5, 9, 9], 1, [("a", 0, 48, [1, 2, 3, 4, 5, 6])]),
        ([3, 9, 9], 1, [("a", 0, 32, [1, 2, 3, 4])]),
        ([6, 5, 4, 3, 2, 1], 4, [("a", 0, 48, [1, 2, 3, 4, 5, 6])]),
    ],
)
def test_endangered_stores_leave_from_the_front(
    stores: DeferredStores, blocks: Blocks, free: list[int], expected: int, emitted: list[tuple[str, int, int, list[int]]]
) -> None:
    admit(stores, blocks, "a", [1, 2, 3, 4, 5, 6], 16, 32)
    assert ranges(EvictionAware().drain(stores, pressure(free, expected=expected))) == emitted
    assert closes(stores)


def test_most_urgent_request_comes_first_within_the_limit(stores: DeferredStores, blocks: Blocks) -> None:
    admit(stores, blocks, "a", [1, 2, 3, 4], 16)
    admit(stores, blocks, "b", [5, 6, 7, 8], 16)
    policy = EvictionAware(max_drain=3)
    batches = policy.drain(stores, pressure([8, 4, 7, 3], expected=4))
    assert ranges(batches) == [("b", 0, 32, [5, 6, 7, 8]), ("a", 0, 16, [1, 2])]
    assert ranges(policy.drain(stores, pressure([4, 3], expected=4))) == [("a", 16, 32, [3, 4])]
    assert stores.is_empty and closes(stores)


def test_average_remembers_a_burst(stores: DeferredStores, blocks: Blocks) -> None:
    admit(stores, blocks, "a", [1, 2])
    policy = EvictionAware(horizon_steps=1)
    assert policy.drain(stores, pressure([9, 9, 9, 9, 1], taken=4)) == []
    # 0.3 × 0 + 0.7 × 4 are 2.8 blocks.
    assert ranges(policy.drain(stores, pressure([9, 9, 1], taken=0))) == [("a", 0, 16, [1, 2])]


def test_old_stores_leave_behind_endangered_ones(stores: DeferredStores, blocks: Blocks) -> None:
    policy = EvictionAware(max_deferral_seconds=10, max_drain=2)
    admit(stores, blocks, "a", [1, 2, 3, 4], 16, policy=policy)
    admit(stores, blocks, "b", [5, 6], policy=policy)
    assert policy.drain(stores, pressure([5], now=9.5)) == []
    batches = policy.drain(stores, pressure([5], expected=1, now=10.5))
    assert ranges(batches) == [("b", 0, 16, [5, 6]), ("a", 0, 16, [1, 2])]
    assert ranges(policy.drain(stores, pressure([], now=11))) == [("a", 16, 32, [3, 4])]
    assert stores.counts.emitted_overdue == 2 and closes(stores)


def test_old_store_brings_all_of_its_request(stores: DeferredStores, blocks: Blocks) -> None:
    policy = EvictionAware(max_deferral_seconds=10)
    admit(stores, blocks, "a", [1, 2, 3, 4], 16, policy=policy)
    assert ranges(policy.drain(stores, pressure([], now=10.5))) == [("a", 0, 32, [1, 2, 3, 4])]


@pytest.mark.parametrize(
    ("lost", "kept", "shortened", "dropped"),
    [
        ([1], [], 0, 3),
        ([6], [("a", 0, 32, [1, 2, 3, 4])], 0, 1),
        ([7], [("a", 0, 48, [1, 2, 3, 4, 5, 6])], 1, 0),
        ([8, 7], [("a", 0, 48, [1, 2, 3, 4, 5, 6])], 1, 0),
        ([4, 8], [("a", 0, 16, [1, 2])], 0, 2),
    ],
)
@pytest.mark.parametrize("is_noticed", [False, True])
def test_lost_blocks_drop_what_they_held_and_all_behind(
    stores: DeferredStores,
    blocks: Blocks,
    lost: list[int],
    kept: list[tuple[str, int, int, list[int]]],
    shortened: int,
    dropped: int,
    is_noticed: bool,
) -> None:
    admit(stores, blocks, "a", [1, 2, 3, 4, 5, 6, 7, 8], 16, 32)
    blocks.fill("other", lost)
    if is_noticed:
        stores.notice_taken(lost)
    assert ranges(EvictionAware().drain(stores, pressure([1, 2, 3, 4, 5, 6, 7, 8], expected=9))) == kept
    assert (stores.counts.shortened, stores.counts.dropped_evicted) == (shortened, dropped)
    assert stores.is_empty and closes(stores)
    blocks.fill("a", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    _, store = stores.add("a", 64, 80, [[8, 9]], 0)
    assert store is None and stores.counts.rejected_prefix_broken == 1


def test_block_that_got_its_content_back_is_not_lost(stores: DeferredStores, blocks: Blocks) -> None:
    admit(stores, blocks, "a", [1, 2])
    stores.notice_taken([1, 2])
    assert ranges(EvictionAware().drain(stores, pressure([1], expected=1))) == [("a", 0, 16, [1, 2])]


def test_reset_of_the_engines_cache_loses_everything(stores: DeferredStores, blocks: Blocks) -> None:
    admit(stores, blocks, "a", [1, 2, 3, 4], 16)
    blocks.names.clear()
    assert EvictionAware().drain(stores, pressure([1, 2, 3, 4], expected=4)) == []
    assert stores.is_empty and stores.counts.dropped_evicted == 2


def test_unnamed_blocks_are_stored_at_once_with_what_is_before_them(blocks: Blocks) -> None:
    stores = DeferredStores(blocks.names.get, CHUNK)
    blocks.fill("a", [1, 2])
    stores.add("a", 0, 16, [[1, 2]], 0)
    assert stores.take_unnamed() == []
    stores.add("a", 16, 32, [[3, 4]], 0)
    assert ranges(stores.take_unnamed()) == [("a", 0, 32, [1, 2, 3, 4])]
    assert stores.is_empty and closes(stores)


def test_unnamed_blocks_of_an_earlier_step_are_never_stored(blocks: Blocks) -> None:
    stores = DeferredStores(blocks.names.get, CHUNK)
    stores.add("a", 0, 16, [[1, 2]], 0)
    assert EvictionAware().drain(stores, pressure([1], expected=1)) == []
    assert stores.counts.dropped_evicted == 1


def test_null_blocks_have_no_name_and_need_none(blocks: Blocks) -> None:
    stores = DeferredStores(blocks.names.get, CHUNK)
    blocks.fill("a", [1, 2])
    stores.add("a", 0, 16, [[1, 2], [0, 0]], 0)
    assert stores.take_unnamed() == []
    (batch,) = EvictionAware().drain(stores, pressure([1], expected=1))
    assert batch.blocks == [[1, 2], [0, 0]] and batch.held == [1, 2]


def test_runs_with_a_gap_are_stored_apart(stores: DeferredStores, blocks: Blocks) -> None:
    blocks.fill("a", [1, 2, 3, 4])
    stores.add("a", 0, 16, [[1, 2]], 0)
    stores.add("a", 48, 64, [[3, 4]], 0)
    batches = EvictionAware().drain(stores, pressure([3], expected=1))
    assert ranges(batches) == [("a", 0, 16, [1, 2]), ("a", 48, 64, [3, 4])]


def test_shared_blocks_wait_once(stores: DeferredStores, blocks: Blocks) -> None:
    admit(stores, blocks, "a", [1, 2, 3, 4], 16)
    blocks.fill("a", [1, 2, 3, 4, 5, 6])
    stores.add("b", 0, 48, [[1, 2, 3, 4, 5, 6]], 0)
    stores.add("c", 0, 32, [[1, 2, 3, 4]], 0)
    stores.add("d", 0, 32, [[1, 2, 3, 4]], 0, "another salt")
    assert stores.counts.covered == 2 and stores.depth == 4
    batches = EvictionAware().drain(stores, pressure([1, 2, 3, 4, 5, 6], expected=6))
    assert ranges(batches) == [("a", 0, 32, [1, 2, 3, 4]), ("d", 0, 32, [1, 2, 3, 4]), ("b", 32, 48, [5, 6])]


def test_shared_blocks_that_were_lost_do_not_count(stores: DeferredStores, blocks: Blocks) -> None:
    admit(stores, blocks, "a", [1, 2])
    admit(stores, blocks, "b", [1, 2])
    assert stores.counts.covered == 0
    assert ranges(EvictionAware().drain(stores, pressure([1], expected=1))) == [("b", 0, 16, [1, 2])]


def test_request_that_begins_anew_waits_apart(stores: DeferredStores, blocks: Blocks) -> None:
    admit(stores, blocks, "a", [1, 2, 3, 4])
    stores.detach("a")
    admit(stores, blocks, "a", [5, 6])
    assert stores.has_waiting("a") and stores.depth == 2
    assert len(EvictionAware().drain(stores, pressure([1, 5], expected=2))) == 2
    assert stores.take_emptied() == ["a"] and stores.take_emptied() == []


def test_tokens_that_come_again_are_another_attempt(stores: DeferredStores, blocks: Blocks) -> None:
    admit(stores, blocks, "a", [1, 2, 3, 4])
    admit(stores, blocks, "a", [5, 6, 7, 8])
    assert stores.depth == 2 and len(list(stores.backlogs)) == 2


def test_failed_store_leaves_out_what_comes_behind(stores: DeferredStores, blocks: Blocks) -> None:
    admit(stores, blocks, "a", [1, 2, 3, 4], 16)
    (batch,) = EvictionAware().drain(stores, pressure([1], expected=1))
    assert stores.break_off(batch.backlog) == 1 and stores.is_empty
    stores.add("a", 32, 48, [[5, 6]], 0)
    assert stores.is_empty and stores.counts.rejected_prefix_broken == 1 and closes(stores)


def test_fifo_waits_for_enough_finished_requests(stores: DeferredStores, blocks: Blocks) -> None:
    policy = Fifo(threshold=3, select_count=2)
    for index, name in enumerate("abcd"):
        admit(stores, blocks, name, [10 * index + 1, 10 * index + 2])
    blocks.fill("other", [1])
    free = [1, 2, 11, 12]
    assert policy.drain(stores, pressure(free, 99, 99, finished={"a", "b"})) == []
    assert policy.drain(stores, pressure(free, 99, 99, finished={"a", "b", "z"})) == []
    batches = policy.drain(stores, pressure(free, finished={"a", "b", "d", "z"}))
    assert ranges(batches) == [("b", 0, 16, [11, 12])]
    assert stores.counts.dropped_evicted == 1 and stores.depth == 2 and closes(stores)


POLICIES: list[Callable[[], DrainPolicy]] = [
    lambda: EvictionAware(max_drain=1),
    lambda: EvictionAware(horizon_steps=1, max_deferral_seconds=2),
    lambda: Fifo(1, 1),
]


class Engine:
    """Four blocks with an eviction queue; a step is one letter. Checks every emission against what blocks hold."""

    def __init__(self, policy: DrainPolicy) -> None:
        self.content: dict[int, str | None] = dict.fromkeys(range(1, 5))
        self.free = [1, 2, 3, 4]
        self.running: dict[str, list[int]] = {}
        self.held: list[list[int]] = []
        self.finished: set[str] = set()
        self.policy = policy
        self.stores = DeferredStores(self.content.get, CHUNK, (SPAN,))
        self.now = 0.0

    def step(self, letter: str) -> None:
        self.now += 1
        taken: list[int] = []
        if letter in "ab" and letter not in self.running and len(self.free) >= 2:
            taken = [self.free.pop(0), self.free.pop(0)]
            for index, block in enumerate(taken):
                self.content[block] = f"{letter}{index}"
            self.running[letter] = taken
            self.finished.discard(letter)
        elif letter in "AB" and letter.lower() in self.running:
            # The end of a prompt goes first.
            self.free += reversed(self.running.pop(letter.lower()))
            self.finished.add(letter.lower())
            self.stores.detach(letter.lower())
        elif letter == "r" and not self.running:
            self.content.update(dict.fromkeys(self.content))
        elif letter == "h" and self.held:
            self.free += self.held.pop(0)
        self.stores.notice_taken(taken)
        if taken:
            _, store = self.stores.add(letter, 0, 16, [taken], self.now)
            if store is not None:
                self.policy.added(store)
        batches = self.stores.take_unnamed()
        batches += self.policy.drain(
            self.stores, StepPressure(self.now, len(taken), len(taken), list(self.free), self.finished)
        )
        for batch in batches:
            name = batch.backlog.request_id
            assert [self.content[block] for block in batch.held] == [f"{name}0", f"{name}1"]
            back = [block for block in batch.held if block in self.free]
            self.free = [block for block in self.free if block not in back]
            self.held.append(back)
        assert closes(self.stores)
        assert {backlog.request_id for backlog in self.stores.backlogs} == {
            name for name in "ab" if self.stores.has_waiting(name)
        }


@pytest.mark.parametrize("make", POLICIES)
def test_every_short_history_stores_only_what_is_there(make: Callable[[], DrainPolicy]) -> None:
    emitted = 0
    for history in itertools.product("aAbBrh", repeat=5):
        engine = Engine(make())
        for letter in history:
            engine.step(letter)
        emitted += engine.stores.counts.emitted
    assert emitted > 500


@pytest.mark.parametrize("make", POLICIES)
def test_long_histories_store_only_what_is_there(make: Callable[[], DrainPolicy]) -> None:
    chance = random.Random(7)
    for _ in range(50):
        engine = Engine(make())
        for _ in range(300):
            engine.step(chance.choice("aAbBrh"))
        assert len(engine.stores._by_block) <= 4
