# lmcache · SPDX-License-Identifier: Apache-2.0
"""Stores that wait: which tokens, in which blocks, and what the engine called the content of each block.

A block may be given to another request at any time. What the engine calls its content tells: as long as the name is the
one that was noted, the block holds the tokens that the store is for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from lmcache.integration.vllm.deferred_store import Backlog, DeferredStore, StoreBatch, StoreCounts
from lmcache.integration.vllm.geometry import NULL_BLOCK


class DeferredStores:
    """All waiting stores, by request and by block. No clock, no engine; used by one thread.

    `name_of` gives what the engine calls a block's content now, none where it has no name. `spans` are the tokens of one
    block in each group; without them a store cannot lose a part.
    """

    def __init__(self, name_of: Callable[[int], Any], chunk_size: int, spans: Sequence[int] = ()) -> None:
        self.counts = StoreCounts()
        self._name_of = name_of
        self._chunk_size = chunk_size
        self._spans = tuple(spans)
        self._current: dict[str, Backlog] = {}
        self._waiting: dict[Backlog, None] = {}
        self._waiting_of: dict[str, int] = {}
        self._by_block: dict[int, tuple[DeferredStore, ...]] = {}
        self._unnamed: dict[Backlog, int] = {}
        self._emptied: list[str] = []
        self._order = 0

    @property
    def backlogs(self) -> Iterable[Backlog]:
        """Those with waiting stores, in the order in which they began to wait."""
        return self._waiting

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return not self._waiting

    @property
    def depth(self) -> int:
        """How many stores wait."""
        return sum(self._waiting_of.values())

    def has_waiting(self, request_id: str) -> bool:
        """Whether a store of any attempt of the request waits."""
        return request_id in self._waiting_of

    def stores_in(self, block: int) -> Sequence[DeferredStore]:
        """The waiting stores that read a block."""
        return self._by_block.get(block, ())

    def add(
        self, request_id: str, start: int, end: int, blocks: Sequence[Sequence[int]], now: float, identity: Any = None
    ) -> tuple[Backlog, DeferredStore | None]:
        """The request computes tokens `[start, end)` into `blocks` in this step; gives the store that waits for it.

        None waits for what other stores of the same blocks bring, nor behind tokens that were lost.
        """
        backlog = self._current.get(request_id)
        if backlog is None or start < backlog.end or identity != backlog.identity:
            # Another attempt, which begins anew.
            backlog = self._current[request_id] = Backlog(request_id, self._order, identity)
            self._order += 1
        backlog.end = end
        if backlog.is_broken:
            self.counts.rejected_prefix_broken += 1
            return backlog, None
        first = self._behind_covered(start, end, blocks, identity)
        if first > start:
            self.counts.covered += 1
            if first >= end:
                return backlog, None
        store = DeferredStore(backlog, first, end, self._cut(blocks, first - start, end - start), {}, now)
        for block in _real(store.blocks):
            store.names[block] = self._name_of(block)
            self._by_block[block] = (*self._by_block.get(block, ()), store)
        backlog.stores.append(store)
        self._waiting[backlog] = None
        self._waiting_of[request_id] = self._waiting_of.get(request_id, 0) + 1
        self.counts.admitted += 1
        if None in store.names.values():
            self._unnamed[backlog] = end
        return backlog, store

    def detach(self, request_id: str) -> None:
        """The request begins anew, or another one has its name: what waits, waits on its own."""
        self._current.pop(request_id, None)

    def take_emptied(self) -> list[str]:
        """Requests whose last waiting store went since the last call."""
        emptied, self._emptied = self._emptied, []
        return emptied

    def break_off(self, backlog: Backlog) -> int:
        """A store of this attempt failed: drops what waits behind it, and takes no more. Gives how many."""
        dropped = self._drop_all(backlog)
        self.counts.dropped_failed_store += dropped
        return dropped

    def notice_taken(self, blocks: Iterable[int]) -> None:
        """The engine has handed out these blocks: drops what was lost with them."""
        by_block = self._by_block
        for block in blocks:
            if block in by_block:
                name = self._name_of(block)
                for store in by_block.get(block, ()):
                    if store.is_waiting and store.names.get(block) != name:
                        self._lose(store)

    def take_unnamed(self) -> list[StoreBatch]:
        """Stores whose blocks have no names by which a later loss would show, with all before them. They were admitted
        in this step, so the request has the blocks.
        """
        if not self._unnamed:
            return []
        unnamed, self._unnamed = self._unnamed, {}
        return [batch for backlog, end in unnamed.items() for batch in self.take(backlog, end, has_unnamed=True)]

    def take(
        self, backlog: Backlog, until: int | None = None, most: int | None = None, has_unnamed: bool = False
    ) -> list[StoreBatch]:
        """The first stores of a backlog, up to a token and a number, as far as their blocks still hold the tokens."""
        batches: list[StoreBatch] = []
        count = 0
        while backlog.stores and (until is None or backlog.stores[0].start < until) and (most is None or count < most):
            store = backlog.stores[0]
            if not self._is_intact(store, has_unnamed):
                self._lose(store)
                continue
            self._remove(store)
            backlog.stores.popleft()
            count += 1
            self._join(batches, store)
        self._settle(backlog)
        self.counts.emitted += count
        return batches

    def _is_intact(self, store: DeferredStore, has_unnamed: bool) -> bool:
        name_of = self._name_of
        return all(has_unnamed if name is None else name_of(block) == name for block, name in store.names.items())

    def _lose(self, store: DeferredStore) -> None:
        """Blocks of a store were lost: drops its lost end and everything behind it."""
        backlog = store.backlog
        kept = self._kept_until(store)
        dropped = []
        while backlog.stores and backlog.stores[-1] is not store:
            dropped.append(backlog.stores.pop())
        for later in dropped:
            self._remove(later)
        if kept > store.start:
            self._shorten(store, kept)
        else:
            backlog.stores.pop()
            self._remove(store)
            dropped.append(store)
        backlog.is_broken = True
        self.counts.dropped_evicted += len(dropped)
        self._settle(backlog)

    def _kept_until(self, store: DeferredStore) -> int:
        """The end of the whole chunks before the first lost block."""
        kept = store.start
        if self._spans:
            kept = store.end
            for span, blocks in zip(self._spans, store.blocks, strict=True):
                for index, block in enumerate(blocks):
                    name = store.names.get(block)
                    if name is None or self._name_of(block) != name:
                        kept = min(kept, store.start + index * span)
                        break
        # Stores begin and end at chunks.
        return kept - (kept - store.start) % self._chunk_size

    def _shorten(self, store: DeferredStore, end: int) -> None:
        blocks = self._cut(store.blocks, 0, end - store.start)
        left = set(_real(blocks))
        for block in [block for block in store.names if block not in left]:
            del store.names[block]
            self._forget_block(block, store)
        store.blocks, store.end = blocks, end
        self.counts.shortened += 1

    def _behind_covered(self, start: int, end: int, blocks: Sequence[Sequence[int]], identity: Any) -> int:
        """The first token that no waiting store of the same blocks brings."""
        if not self._spans:
            return start
        at = start
        while at < end and self._is_covered(at, self._cut(blocks, at - start, at - start + self._chunk_size), identity):
            at += self._chunk_size
        return at

    def _is_covered(self, at: int, blocks: list[list[int]], identity: Any) -> bool:
        real = _real(blocks)
        if not real:
            return False
        return any(
            store.start <= at
            and at + self._chunk_size <= store.end
            and store.backlog.identity == identity
            and all(
                (name := store.names.get(block)) is not None and name == self._name_of(block) for block in real
            )
            for store in self.stores_in(real[0])
        )

    def _cut(self, blocks: Sequence[Sequence[int]], start: int, end: int) -> list[list[int]]:
        """The blocks of a part, in tokens from the first block's."""
        if not self._spans:
            return [list(ids) for ids in blocks]
        return [list(ids[start // span : end // span]) for span, ids in zip(self._spans, blocks, strict=True)]

    def _join(self, batches: list[StoreBatch], store: DeferredStore) -> None:
        held = list(_real(store.blocks))
        if batches and batches[-1].end == store.start:
            batch = batches[-1]
            batch.end = store.end
            batch.held += held
            for known, more in zip(batch.blocks, store.blocks, strict=True):
                known += more
        else:
            blocks = [list(ids) for ids in store.blocks]
            batches.append(StoreBatch(store.backlog, store.start, store.end, blocks, held))

    def _drop_all(self, backlog: Backlog) -> int:
        dropped = len(backlog.stores)
        while backlog.stores:
            self._remove(backlog.stores.pop())
        backlog.is_broken = True
        self._settle(backlog)
        return dropped

    def _remove(self, store: DeferredStore) -> None:
        store.is_waiting = False
        for block in store.names:
            self._forget_block(block, store)
        request_id = store.backlog.request_id
        self._waiting_of[request_id] -= 1
        if not self._waiting_of[request_id]:
            del self._waiting_of[request_id]
            self._emptied.append(request_id)

    def _forget_block(self, block: int, store: DeferredStore) -> None:
        left = tuple(other for other in self._by_block[block] if other is not store)
        if left:
            self._by_block[block] = left
        else:
            del self._by_block[block]

    def _settle(self, backlog: Backlog) -> None:
        if not backlog.stores:
            self._waiting.pop(backlog, None)


def _real(blocks: Sequence[Sequence[int]]) -> list[int]:
    return [block for ids in blocks for block in ids if block != NULL_BLOCK]
