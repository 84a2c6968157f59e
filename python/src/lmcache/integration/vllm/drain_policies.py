# lmcache · SPDX-License-Identifier: Apache-2.0
"""Which of the waiting stores a step emits. Values in, values out: no clock and no engine."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Set
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol

from lmcache.integration.vllm.deferred_store import Backlog, DeferredStore, StoreBatch
from lmcache.integration.vllm.deferred_stores import DeferredStores

DEFAULT_HORIZON_STEPS = 2.5
SMOOTHING = 0.3
"""The weight of the newest step in the average of blocks that a step takes."""


@dataclass(slots=True)
class StepPressure:
    """What one step tells. `taken` counts the blocks that it handed out, `expected` those that the next one may take;
    `free` gives the free blocks, the one to be taken next first; `finished` names requests that are over.
    """

    now: float
    taken: int = 0
    expected: int = 0
    free: Iterable[int] = ()
    finished: Set[str] = field(default_factory=frozenset)


class DrainPolicy(Protocol):
    """Decides; used by one thread."""

    def added(self, store: DeferredStore) -> None:
        """A store has begun to wait."""

    def drain(self, stores: DeferredStores, step: StepPressure) -> list[StoreBatch]:
        """What is stored in this step."""


class EvictionAware:
    """Emits what is about to be lost: stores with a block among the next free ones, as many as the coming
    `horizon_steps` steps may take, and stores older than `max_deferral_seconds` (0: no limit).

    Most urgent first, at most `max_drain` stores in a step, for each request from the front. One that is merely old
    comes behind all that are about to be lost, and brings everything of its request.
    """

    def __init__(
        self,
        horizon_steps: float = DEFAULT_HORIZON_STEPS,
        max_drain: int = 64,
        max_deferral_seconds: float = 0.0,
    ) -> None:
        self._horizon_steps = horizon_steps
        self._max_drain = max_drain
        self._max_deferral_seconds = max_deferral_seconds
        self._taken_per_step: float | None = None
        self._by_age: deque[DeferredStore] = deque()

    def added(self, store: DeferredStore) -> None:
        """Notes its age, when that matters."""
        if self._max_deferral_seconds > 0:
            self._by_age.append(store)

    def drain(self, stores: DeferredStores, step: StepPressure) -> list[StoreBatch]:
        """Endangered stores, then old ones."""
        depth = self._endangered_depth(step)
        if stores.is_empty:
            self._by_age.clear()
            return []
        left = self._max_drain
        batches: list[StoreBatch] = []
        for backlog, until in self._endangered(stores, step.free, depth).items():
            if left <= 0:
                return batches
            before = stores.counts.emitted
            batches += stores.take(backlog, until, left)
            left -= stores.counts.emitted - before
        return batches + self._drain_old(stores, step.now, left)

    def _endangered_depth(self, step: StepPressure) -> int:
        """How many free blocks the coming steps may take; none on an idle engine, whose average never quite ends."""
        known = self._taken_per_step
        average = step.taken if known is None else SMOOTHING * step.taken + (1 - SMOOTHING) * known
        self._taken_per_step = average
        blocks = max(average, step.expected) * self._horizon_steps
        return 0 if blocks < 0.5 else math.ceil(blocks)

    @staticmethod
    def _endangered(stores: DeferredStores, free: Iterable[int], depth: int) -> dict[Backlog, int]:
        """The backlogs with a store that reads one of the first free blocks, most urgent first, and up to which token."""
        until: dict[Backlog, int] = {}
        for block in islice(free, depth):
            for store in stores.stores_in(block):
                backlog = store.backlog
                if store.end > until.get(backlog, 0):
                    until[backlog] = store.end
        return until

    def _drain_old(self, stores: DeferredStores, now: float, left: int) -> list[StoreBatch]:
        batches: list[StoreBatch] = []
        by_age = self._by_age
        while by_age and left > 0:
            if by_age[0].is_waiting:
                if by_age[0].admitted_at > now - self._max_deferral_seconds:
                    break
                before = stores.counts.emitted
                batches += stores.take(by_age[0].backlog, None, left)
                count = stores.counts.emitted - before
                stores.counts.emitted_overdue += count
                left -= count
                if by_age[0].is_waiting:
                    break
            by_age.popleft()
        return batches


class Fifo:
    """Once `threshold` requests that are over wait, emits the `select_count` that came first, whole."""

    def __init__(self, threshold: int = 100, select_count: int = 10) -> None:
        self._threshold = threshold
        self._select_count = select_count

    def added(self, store: DeferredStore) -> None:
        """Nothing: blocks and ages do not count here."""

    def drain(self, stores: DeferredStores, step: StepPressure) -> list[StoreBatch]:
        """Requests that are over, in the order in which they began to wait."""
        if len(step.finished) < self._threshold:
            return []
        eligible: dict[str, list[Backlog]] = {}
        for backlog in stores.backlogs:
            if backlog.request_id in step.finished:
                eligible.setdefault(backlog.request_id, []).append(backlog)
        if len(eligible) < self._threshold:
            return []
        chosen = list(eligible.values())[: self._select_count]
        return [batch for backlogs in chosen for backlog in backlogs for batch in stores.take(backlog)]
