# lmcache · SPDX-License-Identifier: Apache-2.0
"""What both presets' worker classes do with the engine's calls."""

from __future__ import annotations

from typing import Any

from lmcache.integration.tensorrt_llm.cache_worker import CacheWorker
from lmcache.integration.tensorrt_llm.interface import KvCacheConnectorWorker


class ConnectorWorker(KvCacheConnectorWorker):  # type: ignore[misc]
    """Loads before the forward pass, saves after it; `_metadata` is set by the engine's base class."""

    _cache: CacheWorker

    def start_load_kv(self, stream: Any) -> None:
        """Loads the step's blocks and waits. A failure is told in the forward pass, where the engine can bear it."""
        del stream
        self._cache.load(self._metadata)

    def wait_for_layer_load(self, layer_idx: int, stream: Any) -> None:
        """Stops the forward pass after a failed load."""
        del layer_idx, stream
        self._cache.check_loads()

    def save_kv_layer(self, layer_idx: int, stream: Any) -> None:
        """Nothing: whole chunks are saved after the last layer."""

    def wait_for_save(self, stream: Any) -> None:
        """Saves the step's chunks and waits. A failed load is told here at the latest, before its result is used."""
        del stream
        self._cache.check_loads()
        self._cache.save(self._metadata)

    def get_finished(
        self, finished_gen_req_ids: list[int], started_loading_req_ids: list[int]
    ) -> tuple[list[int], list[int]]:
        """Nothing goes on behind the engine's back, so what it asks about has ended."""
        return list(finished_gen_req_ids), list(started_loading_req_ids)

    def shutdown(self) -> None:
        """Unregisters and closes; the engine has no call for it."""
        self._cache.close()
