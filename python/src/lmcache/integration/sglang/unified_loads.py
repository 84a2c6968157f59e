# lmcache · SPDX-License-Identifier: Apache-2.0
"""From the server into SGLang's slots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lmcache.integration.sglang.lmcache_mp_metadata import LMCacheLoadOperation, LMCacheLookupOperation
from lmcache.integration.sglang.memory import RegisteredMemory
from lmcache.integration.sglang.outcome import Outcome
from lmcache.integration.sglang.ranks import Ranks
from lmcache.integration.sglang.server_link import ServerLink
from lmcache.integration.sglang.unified_lookups import KeyShape, Lookups, make_key
from lmcache.utils import init_logger

if TYPE_CHECKING:
    import torch

logger = init_logger(__name__)


class Loads:
    """One operation for each call, whatever happens: all ranks have to count the same ones."""

    def __init__(
        self, link: ServerLink, ranks: Ranks, shape: KeyShape, memory: RegisteredMemory, lookups: Lookups
    ) -> None:
        self._link = link
        self._ranks = ranks
        self._shape = shape
        self._memory = memory
        self._lookups = lookups

    def begin(
        self,
        lookup: LMCacheLookupOperation,
        indices: list[torch.Tensor] | torch.Tensor,
        local_hit: int,
        owned: torch.Tensor | None,
        stream: Any,
    ) -> LMCacheLoadOperation:
        """Begins a load; one that cannot begin has failed already."""
        by_group = list(indices) if isinstance(indices, (list, tuple)) else [indices]
        start = local_hit // self._link.chunk_size * self._link.chunk_size
        end = lookup.total_hit_tokens or 0
        try:
            outcome = self._submit(lookup, by_group, local_hit, start, end, stream)
        except Exception as error:
            logger.warning("load of request %s could not begin: %s", lookup.request_id, error)
            outcome = Outcome.settled(False)
        return LMCacheLoadOperation(
            request_id=lookup.request_id,
            token_ids=lookup.token_ids,
            start=start,
            end=end,
            local_hit_tokens=local_hit,
            device_indices=by_group[0] if owned is None else owned,
            future=outcome,
            lookup=lookup,
        )

    def prepare(self, operation: LMCacheLoadOperation, stream: Any) -> bool:
        """Waits for the load on all ranks."""
        is_here = operation.future.wait_on_stream(stream)
        is_complete = self._ranks.all(is_here)
        if not is_complete:
            operation.result = False
            self._lookups.settle(operation.lookup)
            logger.warning("load of request %s failed; SGLang computes its tokens", operation.request_id)
        return is_complete

    def complete(self, operation: LMCacheLoadOperation, synchronize: bool) -> bool:
        """The result of a load that has ended."""
        if operation.result is None:
            is_complete = operation.future.result(0)
            operation.result = self._ranks.all(is_complete) if synchronize else is_complete
            self._lookups.settle(operation.lookup)
        return operation.result

    def _submit(
        self,
        lookup: LMCacheLookupOperation,
        by_group: list[torch.Tensor],
        local_hit: int,
        start: int,
        end: int,
        stream: Any,
    ) -> Outcome:
        if not lookup.locks_held or end <= local_hit:
            raise ValueError("there is no lookup that found anything to load")
        groups = self._memory.groups
        if len(by_group) != len(groups):
            raise ValueError(f"slots of {len(by_group)} groups; there are {len(groups)}")
        blocks = []
        for group, slots in zip(groups, by_group, strict=True):
            due = end - (start if group.is_recurrent else local_hit)
            if group.covered_tokens(slots) != due:
                raise ValueError(f"slots of {group.name} for {group.covered_tokens(slots)} tokens; {due} are due")
            padding = 0 if group.is_recurrent else local_hit - start
            if padding % group.tokens_per_block:
                raise ValueError(f"{local_hit} tokens found locally are no whole number of blocks of {group.name}")
            blocks.append([0] * (padding // group.tokens_per_block) + group.block_ids(slots))
        key = make_key(self._shape, lookup, start, end, of_all_ranks=False)
        return self._link.retrieve(key, blocks, local_hit - start, self._event(stream))

    def _event(self, stream: Any) -> Any:
        if stream is None or self._memory.device.type == "cpu":
            return self._link.create_event()
        import torch

        with torch.get_device_module(self._memory.device).stream(stream):
            return self._link.create_event()
