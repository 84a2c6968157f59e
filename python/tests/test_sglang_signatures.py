# lmcache · SPDX-License-Identifier: Apache-2.0
"""What SGLang calls, parameter by parameter: `*` begins those by keyword, `=` marks those with a default."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

import pytest

from lmcache.integration.sglang import (
    lmcache_mp_metadata,
    multi_process_adapter,
    sglang_adapter,
    unified_lmcache_mp_connector,
    utils,
)

UNIFIED = unified_lmcache_mp_connector.UnifiedLMCacheMPConnector
MP = multi_process_adapter.LMCacheMPConnector
LAYERWISE = sglang_adapter.LMCacheLayerwiseConnector
PLAIN = sglang_adapter.LMCacheConnector

TABLE = [
    (
        UNIFIED,
        "__init__",
        "* config_file model_config tp_size tp_rank tp_group pp_size= pp_rank= pp_group= page_size"
        " token_to_kv_pool_allocator req_to_token_pool tree_components mamba_component sliding_window_size",
    ),
    (UNIFIED, "submit_lookup", "request_id token_ids * local_hit_tokens cache_salt"),
    (UNIFIED, "poll_lookup", "operation"),
    (UNIFIED, "free_lookup_locks", "request_id start end"),
    (
        UNIFIED,
        "submit_load",
        "operation device_indices * local_hit_tokens owned_device_indices= producer_stream=",
    ),
    (UNIFIED, "prepare_load_on_stream", "operation stream"),
    (UNIFIED, "complete_load", "operation * synchronize="),
    (UNIFIED, "get_store_start", "request_id end"),
    (UNIFIED, "submit_store", "request_id token_ids device_indices * device_indices_start cache_salt"),
    (UNIFIED, "complete_store", "operation * synchronize="),
    (UNIFIED, "ready_prefix_count", "operations"),
    (UNIFIED, "device_indices_by_group", "full_indices * mamba_value= mamba_transfer_tokens="),
    (UNIFIED, "aligned_swa_window_size", ""),
    (UNIFIED, "reset_mamba_checkpoint_metadata", "indices"),
    (UNIFIED, "build_cache_salt", "cache_salt extra_key"),
    (UNIFIED, "parallel_all_reduce", "tensor op"),
    (UNIFIED, "finish_request", "request_id"),
    (UNIFIED, "end_session", "request_id"),
    (UNIFIED, "end_all_sessions", ""),
    (UNIFIED, "clear", ""),
    (UNIFIED, "close", ""),
    (
        MP,
        "__init__",
        "sgl_config tp_size rank page_size host port k_pool v_pool tp_group= mq_timeout= heartbeat_interval=",
    ),
    (MP, "lookup_kv", "token_ids request_id"),
    (MP, "retrieve_kv", "load_metadata"),
    (MP, "release_pending", "request_id"),
    (MP, "store_kv", "store_metadata"),
    (MP, "store_kv_async", "store_metadata"),
    (MP, "end_session", "request_id"),
    (MP, "chunk_size", ""),
    (MP, "reset", ""),
    (MP, "close", ""),
    (LAYERWISE, "__init__", "sgl_config tp_size rank k_pool v_pool config_file= tp_group="),
    (LAYERWISE, "start_load_kv", "load_metadata"),
    (LAYERWISE, "load_kv_layerwise", "layer_id"),
    (LAYERWISE, "store_kv", "store_metadata"),
    (LAYERWISE, "load_kv", "load_metadata"),
    (LAYERWISE, "global_min_tokens", "local_tokens tp_group device"),
    (LAYERWISE, "chunk_size", ""),
    (LAYERWISE, "reset", ""),
    (LAYERWISE, "close", ""),
    (LAYERWISE, "get_kv_events", ""),
    (PLAIN, "__init__", "sgl_config tp_size rank k_pool v_pool config_file="),
    (utils, "lmcache_get_config", "config_file="),
]

FIELDS = [
    (sglang_adapter.LoadMetadata, "token_ids slot_mapping offset prefix_pad= request_id="),
    (sglang_adapter.StoreMetadata, "last_node token_ids kv_indices offset request_id="),
    (
        lmcache_mp_metadata.LMCacheExternalFlow,
        "key lookup total_hit= local_hit_tokens= load= anchor_node= anchor_lock= mamba_value= request_mamba_value="
        " allocated_request_mamba_for_load= load_req= free_mamba_after_load= loaded_skip_tokens= released_skip_tokens="
        " prefix_published= load_completed= retire_requested= cancelled=",
    ),
    (lmcache_mp_metadata.LMCachePendingStore, "operation node_id lock_params"),
    (
        lmcache_mp_metadata.LMCacheLookupOperation,
        "request_id token_ids local_hit_tokens cache_salt submission_future= completion_future= total_hit_tokens="
        " locks_held= lock_start=",
    ),
    (
        lmcache_mp_metadata.LMCacheLoadOperation,
        "request_id token_ids start end local_hit_tokens device_indices future lookup result=",
    ),
    (lmcache_mp_metadata.LMCacheStoreOperation, "request_id start end future result="),
]


def written(function: Any) -> str:
    words, is_by_keyword = [], False
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name == "self":
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not is_by_keyword:
            words.append("*")
            is_by_keyword = True
        words.append(parameter.name + ("" if parameter.default is parameter.empty else "="))
    return " ".join(words)


@pytest.mark.parametrize(("owner", "name", "expected"), TABLE, ids=lambda value: getattr(value, "__name__", None))
def test_parameters(owner: Any, name: str, expected: str) -> None:
    assert written(getattr(owner, name)) == expected


@pytest.mark.parametrize(("kind", "expected"), FIELDS)
def test_fields(kind: Any, expected: str) -> None:
    found = [field.name + ("" if field.default is dataclasses.MISSING else "=") for field in dataclasses.fields(kind)]
    assert " ".join(found) == expected


def test_attributes_that_sglang_reads() -> None:
    for name in ("is_lookup_leader", "is_kv_writer", "operation_timeout"):
        assert isinstance(inspect.getattr_static(UNIFIED, name), property)
    assert isinstance(inspect.getattr_static(UNIFIED, "build_cache_salt"), staticmethod)
    assert isinstance(inspect.getattr_static(MP, "is_healthy"), property)
