# lmcache · SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

SURFACE = [
    ("lmcache.utils", "init_logger"),
    ("lmcache.integration.vllm.utils", "mla_enabled"),
    ("lmcache.integration.vllm.vllm_multi_process_adapter", "LMCacheMPSchedulerAdapter"),
    ("lmcache.integration.vllm.vllm_multi_process_adapter", "LMCacheMPWorkerAdapter"),
    ("lmcache.integration.vllm.vllm_multi_process_adapter", "LoadStoreOp"),
    ("lmcache.integration.vllm.vllm_multi_process_adapter", "ParallelStrategy"),
    ("lmcache.v1.multiprocess.custom_types", "BlockAllocationRecord"),
    ("lmcache.v1.multiprocess.custom_types", "RequestAllocationRecord"),
    ("lmcache.integration.tensorrt_llm", "destroy_engine"),
    ("lmcache.v1.multiprocess.futures", "MessagingFuture"),
    ("lmcache.v1.multiprocess.futures", "DeviceMessagingFuture"),
    ("lmcache.integration.sglang.lmcache_mp_metadata", "LMCacheExternalFlow"),
    ("lmcache.integration.sglang.lmcache_mp_metadata", "LMCachePendingStore"),
    ("lmcache.integration.sglang.unified_lmcache_mp_connector", "UnifiedLMCacheMPConnector"),
    ("lmcache.integration.sglang.sglang_adapter", "LMCacheLayerwiseConnector"),
    ("lmcache.integration.sglang.sglang_adapter", "LoadMetadata"),
    ("lmcache.integration.sglang.sglang_adapter", "StoreMetadata"),
    ("lmcache.integration.sglang.multi_process_adapter", "LMCacheMPConnector"),
    ("lmcache.integration.sglang.utils", "lmcache_get_config"),
]


@pytest.mark.parametrize(("module", "name"), SURFACE)
def test_name_resolves(module: str, name: str) -> None:
    assert hasattr(importlib.import_module(module), name)


def test_vllm_connector_resolves() -> None:
    pytest.importorskip("vllm")
    module = importlib.import_module("lmcache.integration.vllm.lmcache_mp_connector")
    assert hasattr(module, "LMCacheMPConnector")


def test_adapters_load_neither_torch_nor_an_engine() -> None:
    modules = sorted({module for module, _ in SURFACE})
    code = f"import sys, {', '.join(modules)}; print(sorted({{'torch', 'vllm', 'numpy'}} & set(sys.modules)))"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": ":".join(sys.path)}
    )
    assert result.stdout.strip() == "[]"
