# lmcache · SPDX-License-Identifier: Apache-2.0
"""What workers tell the scheduler about deferred stores, and what an engine needs for them. Imports vLLM."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from vllm.distributed.kv_transfer.kv_connector.v1 import base as _base

# Older releases do not have it.
_WorkerMetadata: type = getattr(_base, "KVConnectorWorkerMetadata", object)
_HOOKS = ("bind_gpu_block_pool", "build_connector_worker_meta", "has_pending_push_work")


@dataclass
class LMCacheMPWorkerMetadata(_WorkerMetadata):  # type: ignore[misc]
    """The deferred stores that ended: how many workers say so of each, and which failed on one of them."""

    completed: dict[int, int] = field(default_factory=dict)
    failed: set[int] = field(default_factory=set)

    def aggregate(self, other: LMCacheMPWorkerMetadata) -> LMCacheMPWorkerMetadata:
        """Adds what another worker tells in the same step."""
        completed = dict(self.completed)
        for number, count in other.completed.items():
            completed[number] = completed.get(number, 0) + count
        return LMCacheMPWorkerMetadata(completed, self.failed | other.failed)


def check_engine(vllm_config: Any) -> None:
    """Raises `ValueError` where stores cannot be deferred."""
    missing = [hook for hook in _HOOKS if not hasattr(_base.KVConnectorBase_V1, hook)]
    if missing or _WorkerMetadata is object:
        hooks = ", ".join(missing or ["KVConnectorWorkerMetadata"])
        raise ValueError(f"lmcache.mp.lazy_offload needs a newer vLLM: this one's connectors have no {hooks}")
    if not vllm_config.cache_config.enable_prefix_caching:
        raise ValueError(
            "lmcache.mp.lazy_offload requires vLLM prefix caching, whose names of blocks tell what they hold; "
            "start vLLM without --no-enable-prefix-caching"
        )
