# lmcache · SPDX-License-Identifier: Apache-2.0
"""Preset `lmcache-mp`: the cache is a server of its own."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from lmcache.integration.tensorrt_llm.cache_scheduler import CacheScheduler
from lmcache.integration.tensorrt_llm.cache_worker import CacheWorker, same_on_all_ranks, server_context
from lmcache.integration.tensorrt_llm.connector_scheduler import ConnectorScheduler
from lmcache.integration.tensorrt_llm.connector_worker import ConnectorWorker
from lmcache.integration.tensorrt_llm.pool import layout_hints
from lmcache.integration.tensorrt_llm.server_link import ServerLink
from lmcache.integration.tensorrt_llm.settings import EngineSettings, server_url
from lmcache.utils import init_logger

if TYPE_CHECKING:
    import torch

logger = init_logger(__name__)


class LMCacheMPKvConnectorScheduler(ConnectorScheduler):
    """Asks a server. One that is away at the start costs the cache, not the start.

    Raises `ValueError` for arguments or a chunk size that do not fit.
    """

    def __init__(self, llm_args: Any) -> None:
        super().__init__(llm_args)
        settings = EngineSettings.of(llm_args)
        url = server_url(llm_args)
        link = ServerLink(url, settings.block_size, settings.mq_timeout)
        link.open()
        if link.is_usable:
            logger.info("LMCache MP scheduler: connected to server at %s (chunk_size=%d)", url, link.chunk_size)
        self._cache = CacheScheduler(settings, [link], settings.world_size)


class LMCacheMPKvConnectorWorker(ConnectorWorker):
    """Hands the pool to a server, which moves the bytes. Raises as the scheduler's class does."""

    def __init__(self, llm_args: Any) -> None:
        super().__init__(llm_args)
        self._settings = EngineSettings.of(llm_args)
        self._instance_id = os.getpid()
        self._link = ServerLink(
            server_url(llm_args),
            self._settings.block_size,
            self._settings.mq_timeout,
            self._instance_id,
            prepare=self._prepare,
        )
        self._cache = CacheWorker(
            self._settings,
            self._link,
            self._settings.world_size,
            self._settings.rank,
            same_on_all_ranks(self._settings.world_size),
        )
        self._link.open()

    def _prepare(self) -> None:
        self._cache.register_again()

    def register_kv_caches(self, kv_cache_tensor: torch.Tensor) -> None:
        """Registers the pool. Raises `ValueError` for one that cannot be cached, or that the server refuses."""
        settings = self._settings
        hints = layout_hints(kv_cache_tensor, settings.block_size, settings.model_name)
        self._cache.attach(server_context(self._link, settings, self._instance_id, kv_cache_tensor, hints))
        logger.info("LMCache MP worker: KV pool %s, %s", list(kv_cache_tensor.shape), hints)
