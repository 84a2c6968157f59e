# lmcache · SPDX-License-Identifier: Apache-2.0
"""From SGLang's slots to the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lmcache.integration.sglang.lmcache_mp_metadata import LMCacheLookupOperation, LMCacheStoreOperation
from lmcache.integration.sglang.memory import RegisteredMemory
from lmcache.integration.sglang.outcome import Outcome
from lmcache.integration.sglang.ranks import Ranks
from lmcache.integration.sglang.server_link import ServerLink
from lmcache.integration.sglang.unified_lookups import KeyShape, Lookups, make_key
from lmcache.utils import init_logger

if TYPE_CHECKING:
    import torch

logger = init_logger(__name__)


class Stores:
    """Which tokens of which request were stored; every rank keeps the same account."""

    def __init__(
        self,
        link: ServerLink,
        ranks: Ranks,
        shape: KeyShape,
        memory: RegisteredMemory,
        lookups: Lookups,
        is_writer: bool,
    ) -> None:
        self._link = link
        self._ranks = ranks
        self._shape = shape
        self._memory = memory
        self._lookups = lookups
        self._is_writer = is_writer
        self._stored: dict[str, int] = {}

    def start_of(self, request_id: str, end: int) -> int:
        """The first token of `[0, end)` that was not stored."""
        chunk = self._link.chunk_size
        return min(self._stored.get(request_id, 0), end) // chunk * chunk

    def skip_to(self, request_id: str, tokens: int) -> None:
        """The server has these tokens."""
        if tokens > self._stored.get(request_id, 0):
            self._stored[request_id] = tokens

    def start_over(self, request_id: str) -> None:
        """What the server has of the request is not known any more."""
        self._stored.pop(request_id, None)

    def forget(self, request_id: str) -> None:
        """The request is over."""
        self._stored.pop(request_id, None)

    def begin(
        self,
        request_id: str,
        token_ids: list[int],
        indices: list[torch.Tensor] | torch.Tensor,
        indices_start: int,
        salt: str,
    ) -> LMCacheStoreOperation | None:
        """Begins a store; none, on every rank, when one of them has nothing it could store."""
        end = len(token_ids) // self._link.chunk_size * self._link.chunk_size
        start = self.start_of(request_id, end)
        if end <= start:
            return None
        by_group = list(indices) if isinstance(indices, (list, tuple)) else [indices]
        blocks: list[list[int]] | None = None
        try:
            blocks = self._blocks(by_group, indices_start, start, end)
        except Exception as error:
            logger.warning("store of request %s could not begin: %s", request_id, error)
        if not self._ranks.all(blocks is not None) or blocks is None:
            return None
        outcome = Outcome.settled(True)
        if self._is_writer:
            request = LMCacheLookupOperation(request_id, list(token_ids), 0, salt)
            key = make_key(self._shape, request, start, end, of_all_ranks=False)
            outcome = self._link.store(key, blocks, self._link.create_event())
        self._lookups.note_session(request_id)
        self._stored[request_id] = end
        return LMCacheStoreOperation(request_id, start, end, outcome)

    def complete(self, operation: LMCacheStoreOperation, synchronize: bool) -> bool:
        """The result of a store that has ended; what failed may be stored again."""
        if operation.result is None:
            is_complete = operation.future.result(0)
            operation.result = self._ranks.all(is_complete) if synchronize else is_complete
            if not operation.result and self._stored.get(operation.request_id, 0) > operation.start:
                self._stored[operation.request_id] = operation.start
        return operation.result

    def _blocks(self, by_group: list[torch.Tensor], indices_start: int, start: int, end: int) -> list[list[int]] | None:
        """The blocks of tokens `[start, end)` of each group; none when some of them hold nothing."""
        groups = self._memory.groups
        if len(by_group) != len(groups):
            raise ValueError(f"slots of {len(by_group)} groups; there are {len(groups)}")
        if not 0 <= indices_start <= start or indices_start % self._link.chunk_size:
            raise ValueError(f"slots from token {indices_start} on; a whole chunk at or before {start} is due")
        blocks = []
        for group, slots in zip(groups, by_group, strict=True):
            if group.covered_tokens(slots) < end - indices_start:
                raise ValueError(f"slots of {group.name} end before token {end}")
            part = slots[group.slots_of(start - indices_start) : group.slots_of(end - indices_start)]
            blocks.append(group.block_ids(part))
        is_whole = all(group.is_storable(ids, self._link.chunk_size) for group, ids in zip(groups, blocks, strict=True))
        return blocks if is_whole else None
