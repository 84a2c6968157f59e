# lmcache · SPDX-License-Identifier: Apache-2.0
"""What the scheduler tells the workers to move. Decisions only: no clock, no socket."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class BlockTransfer:
    """Chunks `[start, end)` of `tokens`, which begin at position 0, and the blocks from position `start` on."""

    request_id: int
    name: str
    tokens: list[int]
    block_ids: list[int]
    start: int
    end: int
    salt: str = ""
    skip_tokens: int = 0


@dataclass(slots=True)
class ConnectorMetadata:
    """One step's loads, which come before the model runs, and saves, which come after it."""

    loads: list[BlockTransfer] = field(default_factory=list)
    saves: list[BlockTransfer] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Offer:
    """What the cache adds to `computed` tokens: `tokens`, by loading the chunks `[start, end)`."""

    tokens: int = 0
    start: int = 0
    end: int = 0


def offer_of(length: int, found: int, computed: int, chunk_size: int, block_size: int) -> Offer:
    """The offer for a prompt of `length` tokens of which the cache holds the first `found`.

    The engine wants whole blocks and at least one token left to compute. A block that it has filled partly is being
    copied by it on a stream of its own: nothing is offered beside that copy.
    """
    usable = min(found, max(0, length - 1)) // block_size * block_size
    if computed % block_size or usable <= computed:
        return Offer()
    start = computed // chunk_size * chunk_size
    return Offer(usable - computed, start, min(found, -(-usable // chunk_size) * chunk_size))


@dataclass(slots=True)
class RequestState:
    """A request from its lookup to its end. `found` and `saved` in tokens: cached before, and told to be saved."""

    request: Any
    name: str
    tokens: list[int]
    salt: str
    computed: int
    found: int = 0
    offer: Offer = field(default_factory=Offer)
    blocks: list[int] = field(default_factory=list)
    saved: int = 0
    is_waiting: bool = True
    follows_blocks: bool = True


class StepPlanner:
    """Turns what the engine schedules into transfers. Whole chunks only, and each once.

    A chunk is saved in the step that computes its last token, not before: with chunked prefill the blocks of a prompt
    are allocated long before they are filled.
    """

    def __init__(self, block_size: int) -> None:
        self._block_size = block_size
        self._states: dict[int, RequestState] = {}

    def add(self, request_id: int, state: RequestState) -> None:
        """A lookup was answered; what was known of an earlier allocation of this request is void."""
        state.saved = state.found
        self._states[request_id] = state

    def remove(self, request_id: int) -> RequestState | None:
        """The request is over."""
        return self._states.pop(request_id, None)

    def allocated(self, request_id: int, block_ids: Iterable[int]) -> None:
        """The engine has given the request its blocks."""
        state = self._states.get(request_id)
        if state is not None and state.is_waiting:
            state.blocks = list(block_ids)

    def plan(self, output: Any, chunk_size: int) -> tuple[ConnectorMetadata, list[BlockTransfer]]:
        """One step's transfers, and loads that were offered and are not wanted any more."""
        metadata, unwanted = ConnectorMetadata(), []
        for is_new, data in [(True, item) for item in output.new_requests] + [
            (False, item) for item in output.cached_requests
        ]:
            state = self._states.get(data.request_id)
            if state is None:
                continue
            position = int(data.computed_position)
            if state.is_waiting:
                position += self._begin(state, data, is_new, metadata, unwanted, chunk_size)
            elif state.follows_blocks:
                state.blocks.extend(data.new_block_ids)
            self._save(state, data, position, metadata, chunk_size)
        return metadata, unwanted

    def _begin(
        self,
        state: RequestState,
        data: Any,
        is_new: bool,
        metadata: ConnectorMetadata,
        unwanted: list[BlockTransfer],
        chunk_size: int,
    ) -> int:
        """The first step after a lookup; returns how many tokens the engine counts as loaded."""
        state.is_waiting = False
        if is_new:
            state.blocks = list(data.new_block_ids)
        else:
            # Allocated anew after a pause: the engine tells additions to blocks that it no longer has.
            state.follows_blocks = False
        taken = _taken(state)
        offered = self._transfer(state, data.request_id, state.offer.start, state.offer.end)
        offered.skip_tokens = state.computed - state.offer.start
        if taken > 0:
            # An engine that takes less of an offer still takes it from the front.
            end = min(state.offer.end, -(-(state.computed + taken) // chunk_size) * chunk_size)
            load = self._transfer(state, data.request_id, state.offer.start, end)
            load.skip_tokens = offered.skip_tokens
            metadata.loads.append(load)
            offered = self._transfer(state, data.request_id, end, state.offer.end)
        if offered.start < offered.end:
            unwanted.append(offered)
        return taken

    def _save(
        self, state: RequestState, data: Any, position: int, metadata: ConnectorMetadata, chunk_size: int
    ) -> None:
        # Past the prompt nothing is saved, so drafts and their rejection do not matter.
        filled = min(len(state.tokens), position + int(data.num_scheduled_tokens))
        start = state.saved // chunk_size * chunk_size
        end = min(filled, len(state.blocks) * self._block_size) // chunk_size * chunk_size
        if end <= start:
            return
        state.saved = end
        save = self._transfer(state, data.request_id, start, end)
        if min(save.block_ids) >= 0:  # A window has passed blocks without a number.
            metadata.saves.append(save)

    def _transfer(self, state: RequestState, request_id: int, start: int, end: int) -> BlockTransfer:
        blocks = state.blocks[start // self._block_size : end // self._block_size]
        return BlockTransfer(request_id, state.name, state.tokens[:end], blocks, start, end, state.salt)


def _taken(state: RequestState) -> int:
    """How many of the offered tokens the engine counts as loaded; newer ones write it on the request."""
    given = getattr(state.request, "py_num_connector_matched_tokens", None)
    return min(state.offer.tokens, given) if isinstance(given, int) else state.offer.tokens
