# lmcache · SPDX-License-Identifier: Apache-2.0
"""Stores that wait until their blocks are about to be used again: what the scheduler's half of the connector does.

The engine's block pool is read and used by attribute. A block that a store on its way reads is held, so that the engine
gives it to nobody; it is let go when every worker has said that the store ended, well or not.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lmcache.integration.vllm.deferred_store import Backlog, StoreBatch
from lmcache.integration.vllm.deferred_stores import DeferredStores
from lmcache.integration.vllm.drain_policies import DEFAULT_HORIZON_STEPS, DrainPolicy, EvictionAware, Fifo, StepPressure
from lmcache.integration.vllm.geometry import Geometry, spans
from lmcache.integration.vllm.load_store_op import LoadStoreOp
from lmcache.integration.vllm.settings import LazyOffloadSettings
from lmcache.integration.vllm.transfer_entry import TransferEntry
from lmcache.utils import init_logger

logger = init_logger(__name__)

LOG_SECONDS = 60.0
"""The least time between two lines about what became of the stores, and between two about failures."""


def policy_of(settings: LazyOffloadSettings) -> DrainPolicy:
    """The policy that the settings name."""
    if settings.policy == "FIFO":
        return Fifo(settings.threshold, settings.select_count)
    horizon = settings.horizon_steps
    return EvictionAware(
        DEFAULT_HORIZON_STEPS if horizon is None else horizon,
        settings.max_drain_per_step,
        settings.max_deferral_seconds,
    )


@dataclass(slots=True)
class _OnItsWay:
    """A store that workers carry out, the blocks held for it, and how many workers have not answered."""

    backlog: Backlog
    blocks: list[Any]
    missing: int
    has_failed: bool = False


class LazyOffload:
    """Used by one thread. A session ends when its request is over and none of its stores waits or is on its way."""

    def __init__(
        self,
        settings: LazyOffloadSettings,
        geometry: Geometry,
        chunk_size: int,
        ranks: int,
        end_session: Callable[[str], None],
        can_store: Callable[[], bool],
        clock: Callable[[], float],
    ) -> None:
        self._policy = policy_of(settings)
        self._spans = spans(geometry.groups)
        can_be_cut = not geometry.has_windows and not geometry.has_recurrent
        self._stores = DeferredStores(self._name_of, chunk_size, self._spans if can_be_cut else ())
        self._ranks = ranks
        self._end_session = end_session
        self._can_store = can_store
        self._clock = clock
        self._pool: Any = None
        self._number = 0
        self._on_their_way: dict[int, _OnItsWay] = {}
        self._on_their_way_of: dict[str, int] = {}
        self._held = 0
        self._finished: set[str] = set()
        self._failed = 0
        self._logged = self.counts()
        self._log_at = self._complain_at = 0.0

    @property
    def is_storing(self) -> bool:
        """Whether stores are on their way."""
        return bool(self._on_their_way)

    def bind(self, pool: Any) -> None:
        """The engine's blocks."""
        self._pool = pool

    def counts(self) -> dict[str, int]:
        """What became of the stores so far; `failed` are batches that a worker could not store."""
        counts = dataclasses.asdict(self._stores.counts)
        return {**counts, "failed": self._failed, "waiting": self._stores.depth, "on_their_way": len(self._on_their_way)}

    def arrived(self, request_id: str) -> None:
        """A request comes, under a name that one that is over may have had."""
        if request_id not in self._finished:
            return
        self._finished.discard(request_id)
        if request_id not in self._on_their_way_of:
            self._end_session(request_id)

    def restarted(self, request_id: str) -> None:
        """The request was preempted and begins anew. What waits of it waits on: its blocks say whether it is there."""
        self._stores.detach(request_id)

    def allocated(self, blocks: Sequence[Sequence[int]]) -> None:
        """Blocks went to a request that is not in the next output."""
        if not self._stores.is_empty:
            for ids in blocks:
                self._stores.notice_taken(ids)

    def drain(self, output: Any, entries: Sequence[TransferEntry]) -> list[TransferEntry]:
        """Takes the stores that this step makes possible, and gives those that it carries out."""
        if not output.total_num_scheduled_tokens or self._pool is None:
            # The workers take no stores from a step that computes nothing.
            return []
        taken = _taken(output)
        stores, now = self._stores, self._clock()
        if not stores.is_empty:
            stores.notice_taken(taken)
        for entry in entries:
            self._add(entry, now)
        batches = stores.take_unnamed()
        # The engine must not run out of blocks for the sake of a server that is slow; one that is away may come back
        # before the blocks are gone.
        if 2 * self._held <= len(self._pool.blocks) and self._can_store():
            batches += self._policy.drain(stores, self._pressure(output, len(taken), now))
        begun = [self._begin(batch) for batch in batches]
        for request_id in stores.take_emptied():
            self._end_if_over(request_id)
        self._log(now)
        return begun

    def ended(self, completed: Mapping[int, int], failed: set[int]) -> None:
        """Workers have told which stores ended: how many workers for each, and which failed on one at least."""
        for number in failed:
            store = self._on_their_way.get(number)
            if store is not None and not store.has_failed:
                store.has_failed = True
                self._failed += 1
                self._complain(store.backlog.request_id, self._stores.break_off(store.backlog))
        for number, count in completed.items():
            store = self._on_their_way.get(number)
            if store is not None:
                store.missing -= count
                if store.missing <= 0:
                    self._let_go(number, store)

    def finished(self, request_id: str) -> None:
        """The request is over; its stores may still wait."""
        self._stores.detach(request_id)
        self._finished.add(request_id)
        self._end_if_over(request_id)

    def close(self) -> set[str]:
        """The engine ends, and what waits is not stored. Gives the requests whose sessions are open."""
        logger.info("deferred stores: %s", self._line())
        finished, self._finished = self._finished, set()
        return finished

    def _name_of(self, block: int) -> Any:
        return self._pool.blocks[block].block_hash

    def _add(self, entry: TransferEntry, now: float) -> None:
        op = entry.op
        identity = (entry.cache_salt, entry.request_configs)
        backlog, store = self._stores.add(entry.request_id, op.start, op.end, op.groups, now, identity)
        # The newest tokens begin with all that waits.
        backlog.content = entry
        if store is not None:
            self._policy.added(store)

    def _pressure(self, output: Any, taken: int, now: float) -> StepPressure:
        tokens = output.total_num_scheduled_tokens
        expected = sum(-(-tokens // span) for span in self._spans)
        return StepPressure(now, taken, expected, self._free_blocks(), self._finished)

    def _free_blocks(self) -> Iterator[int]:
        """The free blocks, the one to be taken next first, without a copy of the whole list."""
        block = self._pool.free_block_queue.fake_free_list_head.next_free_block
        while block is not None and block.next_free_block is not None:
            yield block.block_id
            block = block.next_free_block

    def _begin(self, batch: StoreBatch) -> TransferEntry:
        entry: TransferEntry = batch.backlog.content
        blocks = [self._pool.blocks[block] for block in batch.held]
        self._pool.touch(blocks)
        self._held += len(blocks)
        self._number += 1
        self._on_their_way[self._number] = _OnItsWay(batch.backlog, blocks, self._ranks)
        name = batch.backlog.request_id
        self._on_their_way_of[name] = self._on_their_way_of.get(name, 0) + 1
        op = LoadStoreOp(entry.op.token_ids, batch.blocks, batch.start, batch.end)
        return TransferEntry(name, op, entry.cache_salt, entry.request_configs, receipt=self._number)

    def _let_go(self, number: int, store: _OnItsWay) -> None:
        del self._on_their_way[number]
        name = store.backlog.request_id
        self._on_their_way_of[name] -= 1
        if not self._on_their_way_of[name]:
            del self._on_their_way_of[name]
        self._held -= len(store.blocks)
        # The end of a prompt is of less use than its beginning, and goes first.
        self._pool.free_blocks(reversed(store.blocks))
        self._end_if_over(name)

    def _end_if_over(self, request_id: str) -> None:
        if (
            request_id in self._finished
            and request_id not in self._on_their_way_of
            and not self._stores.has_waiting(request_id)
        ):
            self._finished.discard(request_id)
            self._end_session(request_id)

    def _complain(self, request_id: str, dropped: int) -> None:
        now = self._clock()
        if now >= self._complain_at:
            self._complain_at = now + LOG_SECONDS
            logger.warning("a store of request %s failed; %d behind it are left out", request_id, dropped)

    def _log(self, now: float) -> None:
        if now < self._log_at:
            return
        self._log_at = now + LOG_SECONDS
        counts = self.counts()
        if counts != self._logged:
            self._logged = counts
            logger.info("deferred stores: %s", self._line())

    def _line(self) -> str:
        return " ".join(f"{name}={value}" for name, value in self.counts().items())


def _taken(output: Any) -> list[int]:
    """The blocks that requests of this step have gained, in all groups; a new request's cached ones among them."""
    taken = [block for new in output.scheduled_new_reqs for ids in new.block_ids for block in ids]
    for groups in output.scheduled_cached_reqs.new_block_ids:
        if groups:
            for ids in groups:
                taken += ids
    return taken
