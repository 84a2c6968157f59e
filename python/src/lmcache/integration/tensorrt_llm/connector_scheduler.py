# lmcache · SPDX-License-Identifier: Apache-2.0
"""What both presets' scheduler classes do with the engine's calls."""

from __future__ import annotations

from typing import Any

from lmcache.integration.tensorrt_llm.cache_scheduler import CacheScheduler
from lmcache.integration.tensorrt_llm.interface import KvCacheConnectorScheduler
from lmcache.integration.tensorrt_llm.plans import ConnectorMetadata


class ConnectorScheduler(KvCacheConnectorScheduler):  # type: ignore[misc]
    """Loads are synchronous: the engine runs a request in the step that loads it."""

    _cache: CacheScheduler

    def get_num_new_matched_tokens(self, request: Any, num_computed_tokens: int) -> tuple[int, bool]:
        """Tokens that can be loaded, and that they are loaded before the step runs."""
        return self._cache.matched_tokens(request, num_computed_tokens), False

    def update_state_after_alloc(self, request: Any, block_ids: list[int]) -> None:
        """The request's blocks."""
        self._cache.allocated(request, block_ids)

    def build_connector_meta(self, scheduler_output: Any) -> ConnectorMetadata:
        """The step's transfers."""
        return self._cache.plan(scheduler_output)

    def request_finished(self, request: Any, cache_block_ids: list[int]) -> bool:
        """Saves were waited for in their steps, so the blocks are free."""
        del cache_block_ids
        self._cache.finished(request)
        return False

    def shutdown(self) -> None:
        """Closes the connections; the engine has no call for it."""
        self._cache.close()
