# lmcache · SPDX-License-Identifier: Apache-2.0
"""The names that vLLM's own connectors import."""

from lmcache.integration.vllm.load_store_op import LoadStoreOp
from lmcache.integration.vllm.parallel_strategy import ParallelStrategy
from lmcache.integration.vllm.scheduler_adapter import LMCacheMPSchedulerAdapter
from lmcache.integration.vllm.worker_adapter import LMCacheMPWorkerAdapter

__all__ = ["LMCacheMPSchedulerAdapter", "LMCacheMPWorkerAdapter", "LoadStoreOp", "ParallelStrategy"]
