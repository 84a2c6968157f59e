# lmcache · SPDX-License-Identifier: Apache-2.0
"""Context parallelism: which arrangements can be cached, and how keys tell them apart."""

from __future__ import annotations

from typing import Any

from lmcache.integration.vllm.geometry import leaves


def check_context_parallel(parallel: Any, kv_cache_config: Any, block_size: int, servers: int) -> int:
    """The decode-context-parallel size. Raises `ValueError` for an arrangement that would store shards wrongly."""
    dcp = int(getattr(parallel, "decode_context_parallel_size", 1))
    pcp = int(getattr(parallel, "prefill_context_parallel_size", 1))
    if pcp > 1:
        raise ValueError(f"prefill context parallelism ({pcp}) is not supported")
    if dcp == 1:
        return 1
    interleave = _interleave(parallel)
    groups = kv_cache_config.kv_cache_groups if kv_cache_config is not None else ()
    specs = [spec for group in groups for spec in leaves(group.kv_cache_spec) if getattr(spec, "dcp_sharded", True)]
    wrong = sorted({int(spec.block_size) for spec in specs if int(spec.block_size) % interleave})
    if wrong or (not specs and block_size % interleave):
        sizes = wrong or block_size
        raise ValueError(f"cp_kv_cache_interleave_size {interleave} does not divide blocks of {sizes} tokens")
    ranks = int(parallel.world_size) // servers
    if ranks < dcp:
        raise ValueError(f"{servers} servers leave {ranks} workers each, fewer than the {dcp} that hold one prompt")
    return dcp


def cache_model_name(model: str, parallel: Any) -> str:
    """The model's name in keys; shards that lie in another order must not be found under the same one."""
    dcp, interleave = int(getattr(parallel, "decode_context_parallel_size", 1)), _interleave(parallel)
    if dcp == 1 or interleave == 1:
        return model
    return f"{model}##lmcache-dcp-layout-v1-d{dcp}-interleave{interleave}"


def _interleave(parallel: Any) -> int:
    return max(1, int(getattr(parallel, "cp_kv_cache_interleave_size", 1)))
