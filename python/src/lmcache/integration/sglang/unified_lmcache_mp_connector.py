# lmcache · SPDX-License-Identifier: Apache-2.0
"""What SGLang 0.5.21 to 0.5.23 load: lookups, loads and stores of its unified radix cache at a cache server."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lmcache.integration.sglang.lmcache_mp_metadata import (
    LMCacheLoadOperation,
    LMCacheLookupOperation,
    LMCacheStoreOperation,
)
from lmcache.integration.sglang.memory import RegisteredMemory
from lmcache.integration.sglang.mp_settings import MPSettings
from lmcache.integration.sglang.ranks import Ranks
from lmcache.integration.sglang.server_link import ServerLink
from lmcache.integration.sglang.unified_loads import Loads
from lmcache.integration.sglang.unified_lookups import Lookups
from lmcache.integration.sglang.unified_pools import UnifiedPools, is_latent
from lmcache.integration.sglang.unified_stores import Stores
from lmcache.utils import init_logger

if TYPE_CHECKING:
    import torch

logger = init_logger(__name__)


class UnifiedLMCacheMPConnector:
    """One rank's side. Apart from its start nothing raises, and no wait goes past `operation_timeout`, doubled.

    Raises `ConnectionError` when the server does not tell its chunk size, `ValueError` for a configuration or sizes
    that do not fit, `NotImplementedError` for pools that cannot be cached. All ranks must call the same methods in the
    same order; used by one thread.
    """

    def __init__(
        self,
        *,
        config_file: str | None,
        model_config: Any,
        tp_size: int,
        tp_rank: int,
        tp_group: Any,
        pp_size: int = 1,
        pp_rank: int = 0,
        pp_group: Any = None,
        page_size: int,
        token_to_kv_pool_allocator: Any,
        req_to_token_pool: Any,
        tree_components: tuple[Any, ...],
        mamba_component: Any,
        sliding_window_size: int | None,
    ) -> None:
        settings = MPSettings.load(config_file)
        self._pools = UnifiedPools(
            allocator=token_to_kv_pool_allocator,
            req_to_token_pool=req_to_token_pool,
            components=tree_components,
            mamba_component=mamba_component,
            page_size=int(page_size),
            sliding_window=sliding_window_size,
        )
        groups = self._pools.groups()
        latent = is_latent(model_config)
        # Ranks that keep the same bytes share one object, but not those of recurrent state.
        self.mla_only = latent and not any(group.is_recurrent for group in groups)
        self._ranks = Ranks(int(tp_size), int(tp_rank), tp_group, int(pp_size), int(pp_rank), pp_group)
        self.model_name = str(model_config.model_path)
        self.kv_world_size = self._ranks.pp_size if self.mla_only else self._ranks.world_size
        self.kv_worker_id = self._ranks.pp_rank if self.mla_only else self._ranks.number
        self.num_kv_readers = self._ranks.tp_size if self.mla_only else 1
        self.page_size = int(page_size)
        memory = RegisteredMemory(groups, is_latent=latent)
        self.device = memory.device
        if any(group.window >= 0 for group in groups):
            logger.info("sliding windows and recurrent state need a server with --separate-object-groups")
        self._link = ServerLink(
            settings,
            memory.block_size,
            lambda client, instance, chunk: memory.context(
                settings.mode, self.model_name, self.kv_world_size, settings.transfer_timeout, client, instance, chunk
            ),
        )
        self.instance_id = self._link.instance_id
        self.chunk_size = self._link.chunk_size
        self.server_url = settings.url
        shape = (self.model_name, self.kv_world_size, self.kv_worker_id, self.num_kv_readers)
        self._lookups = Lookups(self._link, self._ranks, shape)
        self._loads = Loads(self._link, self._ranks, shape, memory, self._lookups)
        self._stores = Stores(self._link, self._ranks, shape, memory, self._lookups, self.is_kv_writer)
        logger.info("SGLang's pools are registered at cache server %s", settings.url)

    @property
    def is_lookup_leader(self) -> bool:
        """Whether this rank asks the server on behalf of all."""
        return self._ranks.is_first

    @property
    def is_kv_writer(self) -> bool:
        """Whether this rank stores; of ranks that keep the same bytes one does."""
        return not self.mla_only or self._ranks.tp_rank == 0

    @property
    def operation_timeout(self) -> float:
        """Seconds that one request of a transfer may take."""
        return self._link.settings.transfer_timeout

    @staticmethod
    def build_cache_salt(cache_salt: str | None, extra_key: str | None) -> str:
        """One salt of SGLang's salt and extra key."""
        if not extra_key:
            return cache_salt or ""
        return hashlib.sha256(f"{cache_salt or ''}\0{extra_key}".encode()).hexdigest()

    def aligned_swa_window_size(self) -> int:
        """The sliding window in tokens, up to whole pages."""
        return self._pools.aligned_window()

    def reset_mamba_checkpoint_metadata(self, indices: torch.Tensor) -> None:
        """Sets what is not cached of the given slots of recurrent state back to the beginning."""
        self._pools.reset_recurrent_cursors(indices)

    def device_indices_by_group(
        self,
        full_indices: torch.Tensor,
        *,
        mamba_value: torch.Tensor | None = None,
        mamba_transfer_tokens: int | None = None,
    ) -> list[torch.Tensor]:
        """The tree's slots in each group's own numbering."""
        return self._pools.indices_by_group(full_indices, mamba_value, mamba_transfer_tokens)

    def parallel_all_reduce(self, tensor: torch.Tensor, op: Any) -> None:
        """Reduces in place over all ranks."""
        self._ranks.reduce(tensor, op)

    def ready_prefix_count(self, operations: Sequence[LMCacheLoadOperation | LMCacheStoreOperation]) -> int:
        """How many of the first operations have ended on every rank."""
        count = 0
        for operation in operations:
            if not operation.query():
                break
            count += 1
        return self._ranks.least(count)

    def submit_lookup(
        self, request_id: str, token_ids: list[int], *, local_hit_tokens: int, cache_salt: str
    ) -> LMCacheLookupOperation:
        """Begins a lookup of a whole prompt."""
        return self._lookups.begin(request_id, token_ids, int(local_hit_tokens), cache_salt)

    def poll_lookup(self, operation: LMCacheLookupOperation) -> int | None:
        """The tokens found, a whole number of chunks and the same on every rank; none while they are not known."""
        if operation.total_hit_tokens is None and self._lookups.poll(operation) is not None:
            self._stores.skip_to(operation.request_id, operation.total_hit_tokens or 0)
        return operation.total_hit_tokens

    def free_lookup_locks(self, request_id: str, start: int, end: int) -> None:
        """Gives back the leases on `[start, end)`, which will not be loaded. They begin where the last ones ended."""
        self._lookups.free(request_id, start, end)

    def submit_load(
        self,
        operation: LMCacheLookupOperation,
        device_indices: list[torch.Tensor] | torch.Tensor,
        *,
        local_hit_tokens: int,
        owned_device_indices: torch.Tensor | None = None,
        producer_stream: Any = None,
    ) -> LMCacheLoadOperation:
        """Begins the load of what a lookup found beyond `local_hit_tokens` into the given slots of each group."""
        return self._loads.begin(operation, device_indices, local_hit_tokens, owned_device_indices, producer_stream)

    def prepare_load_on_stream(self, operation: LMCacheLoadOperation, stream: Any) -> bool:
        """Waits for the load. False when it failed on any rank; nobody writes to its slots any more then."""
        is_complete = self._loads.prepare(operation, stream)
        if not is_complete:
            # What the lookup found may be gone with the server that said so.
            self._stores.start_over(operation.request_id)
        return is_complete

    def complete_load(self, operation: LMCacheLoadOperation, *, synchronize: bool = True) -> bool:
        """Whether an ended load succeeded, on every rank with `synchronize`."""
        return self._loads.complete(operation, synchronize)

    def get_store_start(self, request_id: str, end: int) -> int:
        """The first token of `[0, end)` that was not stored, a whole number of chunks."""
        return self._stores.start_of(request_id, end)

    def submit_store(
        self,
        request_id: str,
        token_ids: list[int],
        device_indices: list[torch.Tensor] | torch.Tensor,
        *,
        device_indices_start: int,
        cache_salt: str,
    ) -> LMCacheStoreOperation | None:
        """Begins the store of the whole chunks that were not stored; none when there is nothing to do.

        `device_indices` are the slots of each group from token `device_indices_start` on.
        """
        return self._stores.begin(request_id, token_ids, device_indices, device_indices_start, cache_salt)

    def complete_store(self, operation: LMCacheStoreOperation, *, synchronize: bool = True) -> bool:
        """Whether an ended store succeeded, on every rank with `synchronize`."""
        return self._stores.complete(operation, synchronize)

    def finish_request(self, request_id: str) -> None:
        """The request is over."""
        self.end_session(request_id)
        self._stores.forget(request_id)

    def end_session(self, request_id: str) -> None:
        """Lets the server forget the request, and the leases that it still has."""
        self._lookups.end(request_id)

    def end_all_sessions(self) -> None:
        """Lets the server forget all requests."""
        self._lookups.end_all()

    def clear(self) -> bool:
        """Empties the server of what nobody uses; returns whether it did."""
        return self._ranks.all(self._link.clear() if self.is_lookup_leader else True)

    def close(self) -> None:
        """Ends all requests, unregisters and closes. May be called more than once."""
        self.end_all_sessions()
        self._link.close()
