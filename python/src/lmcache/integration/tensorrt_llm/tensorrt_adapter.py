# lmcache · SPDX-License-Identifier: Apache-2.0
"""Preset `lmcache`: the cache is inside the engine's processes, one for each rank's part of the blocks."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from lmcache.integration.tensorrt_llm.cache_scheduler import CacheScheduler
from lmcache.integration.tensorrt_llm.cache_worker import CacheWorker, same_on_all_ranks
from lmcache.integration.tensorrt_llm.connector_scheduler import ConnectorScheduler
from lmcache.integration.tensorrt_llm.connector_worker import ConnectorWorker
from lmcache.integration.tensorrt_llm.embedded import destroy_engine, engine_socket, open_engine
from lmcache.integration.tensorrt_llm.pool import layout_hints
from lmcache.integration.tensorrt_llm.process_pool import process_context
from lmcache.integration.tensorrt_llm.server_link import ServerLink
from lmcache.integration.tensorrt_llm.settings import EngineSettings

if TYPE_CHECKING:
    import torch

__all__ = ["LMCacheKvConnectorScheduler", "LMCacheKvConnectorWorker", "destroy_engine"]


class LMCacheKvConnectorScheduler(ConnectorScheduler):
    """Asks the caches of all ranks over their sockets; what is found is what every rank has."""

    def __init__(self, llm_args: Any) -> None:
        super().__init__(llm_args)
        settings = EngineSettings.of(llm_args)
        links = []
        for rank in range(settings.world_size):
            # Workers start beside the scheduler: a cache that is not there yet is taken up later.
            link = ServerLink(f"ipc://{engine_socket(rank)}", settings.block_size, settings.mq_timeout)
            link.open(seconds=0.0)
            links.append(link)
        self._cache = CacheScheduler(settings, links, world_size=1)


class LMCacheKvConnectorWorker(ConnectorWorker):
    """Holds its rank's cache. Raises `ValueError` for a configuration that cannot be used."""

    def __init__(self, llm_args: Any) -> None:
        super().__init__(llm_args)
        self._settings = EngineSettings.of(llm_args)
        self._engine = open_engine(self._settings.rank, self._settings.block_size)
        self._cache = CacheWorker(
            self._settings, self._engine, 1, 0, same_on_all_ranks(self._settings.world_size)
        )

    def register_kv_caches(self, kv_cache_tensor: torch.Tensor) -> None:
        """Registers the pool. Raises `ValueError` for one that cannot be cached."""
        settings = self._settings
        hints = layout_hints(kv_cache_tensor, settings.block_size, settings.model_name)
        self._cache.attach(process_context(self._engine.client, settings, os.getpid(), kv_cache_tensor, hints))
