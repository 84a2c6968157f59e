# lmcache · SPDX-License-Identifier: Apache-2.0
"""What SGLang 0.5.2 to 0.5.20 load to cache inside the engine's own process."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from lmcache.integration.sglang.layer_rows import LayerRows
from lmcache.integration.sglang.layerwise_cache import LayerLoad
from lmcache.integration.sglang.layerwise_link import LayerwiseLink, open_link
from lmcache.integration.sglang.ranks import Ranks
from lmcache.integration.sglang.request_metadata import LoadMetadata, StoreMetadata, has_namespace
from lmcache.integration.sglang.unified_pools import is_latent
from lmcache.utils import init_logger
from lmcache.wire.types import CacheKey

if TYPE_CHECKING:
    import torch

__all__ = ["LMCacheConnector", "LMCacheLayerwiseConnector", "LoadMetadata", "StoreMetadata"]

logger = init_logger(__name__)


class LMCacheConnector:
    """One tensor-parallel rank's cache, loaded and stored at once. Apart from its start, and from a device that fails
    in the middle of a load that SGLang counts on, nothing raises.

    `k_pool` and `v_pool` have a tensor `[slots, heads, size]` for each layer; latent caches have only the first.
    `config_file` may be empty: then LMCACHE_CONFIG_FILE names it, and without that all values are the defaults. A file
    with `mp_host` means the server there in place of a cache in this process. Raises `ValueError`, `OSError` or
    `ConnectionError` for a configuration that cannot be used.
    """

    def __init__(
        self,
        sgl_config: Any,
        tp_size: int,
        rank: int,
        k_pool: list[torch.Tensor],
        v_pool: list[torch.Tensor],
        config_file: str = "",
    ) -> None:
        self.sgl_config = sgl_config
        self.tp_size = int(tp_size)
        self.rank = int(rank)
        self._rows = LayerRows(k_pool, [] if is_latent(sgl_config) else v_pool or [])
        self.num_layer = self._rows.layer_count
        self._link: LayerwiseLink = open_link(
            config_file, str(sgl_config.model_path), self.tp_size, self.rank, self._rows
        )
        self._ranks = Ranks()

    def load_kv(self, load_metadata: LoadMetadata) -> int:
        """Loads a prompt's chunks behind `offset` into its slots, but for those of slot -1.

        The tokens from `offset` on that are there then; 0 when any rank failed.
        """
        load, tokens = self._begin_load(load_metadata)
        if load is not None:
            self._advance(load, self.num_layer - 1)
        return tokens

    def store_kv(self, store_metadata: StoreMetadata) -> None:
        """Stores the whole chunks of a request; the slots must stay until the current stream has done its work."""
        tokens = [int(token) for token in store_metadata.token_ids]
        end = len(tokens) // self._link.chunk_size * self._link.chunk_size
        request_id = store_metadata.request_id or uuid.uuid4().hex
        if end == 0 or has_namespace(store_metadata.last_node) or not self._link.is_healthy:
            return
        try:
            slots = store_metadata.kv_indices[:end]
            if slots.numel() != end:
                raise ValueError(f"{slots.numel()} slots for {end} tokens")
            if not self._link.cache.store(self._key(tokens, 0, end, request_id, self._link.rank), slots):
                logger.warning("request %s was not stored", request_id)
        except Exception as error:
            logger.warning("store of request %s failed: %s", request_id, error)
        self._link.tell("end_session", request_id)

    def get_kv_events(self) -> list[Any]:
        """Nothing: this cache announces no events."""
        return []

    def chunk_size(self) -> int:
        """Tokens in a chunk."""
        return self._link.chunk_size

    def reset(self) -> None:
        """Empties the cache of what nobody uses."""
        self._link.clear()

    def close(self) -> None:
        """Ends the cache. May be called more than once."""
        self._link.close()

    def _begin_load(self, metadata: LoadMetadata) -> tuple[LayerLoad | None, int]:
        """Looks up and begins a load of what every rank has; none when there is nothing. All ranks agree."""
        tokens = [int(token) for token in metadata.token_ids]
        request_id = metadata.request_id or uuid.uuid4().hex
        end = len(tokens) // self._link.chunk_size * self._link.chunk_size
        found = self._ranks.least(self._look_up(tokens, end, request_id))
        load: LayerLoad | None = None
        if found > metadata.offset:
            try:
                load = self._load(metadata, tokens, found, request_id)
            except Exception as error:
                logger.warning("load of request %s could not begin: %s", request_id, error)
            if not self._ranks.all(load is not None) and load is not None:
                load.abandon()
                load = None
        if load is None:
            self._link.tell("end_session", request_id)
            return None, 0
        load.request_id = request_id
        return load, found - metadata.offset

    def _load(self, metadata: LoadMetadata, tokens: list[int], end: int, request_id: str) -> LayerLoad | None:
        start = metadata.offset
        if start < 0 or start % self._link.chunk_size:
            raise ValueError(f"offset {start} is no whole number of chunks of {self._link.chunk_size}")
        slots = metadata.slot_mapping[start:end]
        # What SGLang has already comes first, and without slots.
        skipped = int((slots < 0).sum())
        key = self._key(tokens, start, end, request_id, self._link.rank)
        return self._link.cache.begin_load(key, slots[skipped:], skipped)

    def _advance(self, load: LayerLoad, layer: int) -> None:
        """Copies a load's layers up to one. Raises what went wrong: the engine counts on these tokens."""
        try:
            load.advance(layer)
        finally:
            if load.is_finished:
                self._link.tell("end_session", load.request_id)

    def _look_up(self, tokens: list[int], end: int, request_id: str) -> int:
        if end == 0 or not self._link.is_healthy:
            return 0
        try:
            return min(self._link.look_up(self._key(tokens, 0, end, request_id, None)), end)
        except Exception as error:
            logger.warning("the lookup of request %s failed and counts as a miss: %s", request_id, error)
            return 0

    def _key(self, tokens: list[int], start: int, end: int, request_id: str, rank: int | None) -> CacheKey:
        return CacheKey(
            self._link.model_name, self._link.world_size, rank, tokens, start, end, request_id, num_kv_readers=1
        )


class LMCacheLayerwiseConnector(LMCacheConnector):
    """As `LMCacheConnector`, and layers are loaded while the engine computes the ones before them."""

    def __init__(
        self,
        sgl_config: Any,
        tp_size: int,
        rank: int,
        k_pool: list[torch.Tensor],
        v_pool: list[torch.Tensor],
        config_file: str = "",
        tp_group: Any = None,
    ) -> None:
        super().__init__(sgl_config, tp_size, rank, k_pool, v_pool, config_file)
        self.tp_group = tp_group
        self._ranks = Ranks(self.tp_size, self.rank, tp_group, device=self._rows.device)
        self._loads: list[LayerLoad] = []

    def global_min_tokens(self, local_tokens: int, tp_group: Any, device: Any) -> int:
        """The least of the ranks' values."""
        return Ranks(self.tp_size, self.rank, tp_group, device=device).least(local_tokens)

    def start_load_kv(self, load_metadata: LoadMetadata) -> int:
        """Begins a load; its first layer is on its way on the current stream.

        The tokens from `offset` on that will be there, 0 for none.
        """
        load, tokens = self._begin_load(load_metadata)
        if load is not None:
            self._advance(load, 0)
            if not load.is_finished:
                self._loads.append(load)
        return tokens

    def load_kv_layerwise(self, layer_id: int) -> None:
        """The engine is about to use a layer: the next one is put on its way."""
        for load in self._loads:
            self._advance(load, layer_id + 1)
        self._loads = [load for load in self._loads if not load.is_finished]

    def reset(self) -> None:
        """Ends loads and empties the cache of what nobody uses."""
        self._abandon()
        super().reset()

    def close(self) -> None:
        """Ends loads and the cache. May be called more than once."""
        self._abandon()
        super().close()

    def _abandon(self) -> None:
        for load in self._loads:
            load.abandon()
        self._loads = []
