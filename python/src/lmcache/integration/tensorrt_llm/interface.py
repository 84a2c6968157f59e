# lmcache · SPDX-License-Identifier: Apache-2.0
"""The engine's base classes, from wherever this release of TensorRT-LLM keeps them."""

from __future__ import annotations

try:
    from tensorrt_llm._torch.pyexecutor.connectors.kv_cache_connector import (
        KvCacheConnectorScheduler,
        KvCacheConnectorWorker,
    )
except ImportError:
    # 1.1 and the first builds of 1.2.
    from tensorrt_llm._torch.pyexecutor.kv_cache_connector import KvCacheConnectorScheduler, KvCacheConnectorWorker

__all__ = ["KvCacheConnectorScheduler", "KvCacheConnectorWorker"]
