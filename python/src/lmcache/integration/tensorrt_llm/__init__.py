# lmcache · SPDX-License-Identifier: Apache-2.0
"""The connector classes of TensorRT-LLM (presets `lmcache` and `lmcache-mp`). Importing this loads no engine."""

from __future__ import annotations

from typing import Any

from lmcache.integration.tensorrt_llm.embedded import destroy_engine

_CLASSES = {
    "LMCacheKvConnectorScheduler": "tensorrt_adapter",
    "LMCacheKvConnectorWorker": "tensorrt_adapter",
    "LMCacheMPKvConnectorScheduler": "tensorrt_mp_adapter",
    "LMCacheMPKvConnectorWorker": "tensorrt_mp_adapter",
}

__all__ = ["destroy_engine"]


def __getattr__(name: str) -> Any:
    """The four classes, which need TensorRT-LLM, when they are asked for."""
    if name not in _CLASSES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{_CLASSES[name]}"), name)
