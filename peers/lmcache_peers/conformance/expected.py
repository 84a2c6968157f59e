# lmcache · SPDX-License-Identifier: Apache-2.0
"""What is answered to a request that cannot be served, so that no client waits and none ends with an exception."""

from __future__ import annotations

from collections.abc import Callable

from lmcache_peers.wire import Reply

Check = Callable[[Reply], bool]


def is_refusal(reply: Reply) -> bool:
    return reply.refusal is not None and reply.value_frame is None


def is_no_value(reply: Reply) -> bool:
    return reply.refusal is None and reply.value_frame is None


def is_value(expected: object) -> Check:
    return lambda reply: reply.refusal is None and reply.value_frame is not None and reply.value == expected


def is_failed_transfer(reply: Reply) -> bool:
    return reply.refusal is None and reply.value == [b"", False]


def is_boolean(reply: Reply) -> bool:
    return reply.refusal is None and isinstance(reply.value, bool)


def is_integer(reply: Reply) -> bool:
    return reply.refusal is None and isinstance(reply.value, int) and not isinstance(reply.value, bool)


def is_disabled_batch(reply: Reply) -> bool:
    return reply.refusal is None and isinstance(reply.value, dict) and reply.value.get("enabled") is False


def is_anything(_: Reply) -> bool:
    return True


NOTHING_TO_STORE = {"context": {"slots": [], "chunk_indices": []}}
NOT_FOUND = {"success": False, "data": b"", "context": {}}

ON_FAILURE: dict[str, Check] = {
    "store": is_failed_transfer,
    "retrieve": is_failed_transfer,
    "store_q": is_failed_transfer,
    "cb_retrieve_pre_computed": is_failed_transfer,
    "lookup": is_no_value,
    "free_lookup_locks": is_no_value,
    "end_session": is_no_value,
    "report_block_allocation": is_no_value,
    "clear": is_no_value,
    "unregister_kv_cache": is_no_value,
    "unregister_q_cache": is_no_value,
    "unregister_kv_cache_engine_driven_context": is_no_value,
    "p2p_unlock_objects": is_no_value,
    "query_prefetch_status": is_value(0),
    "wait_prefetch_status": is_value(0),
    "register_kv_cache": is_refusal,
    "register_kv_cache_engine_driven_context": is_refusal,
    "register_q_cache": is_refusal,
    "cb_register_rope": is_refusal,
    "prepare_store": is_value(NOTHING_TO_STORE),
    "prepare_retrieve": is_value(NOT_FOUND),
    "commit_store": is_value(False),
    "commit_retrieve": is_value(True),
    "subscribe_kv_events": is_disabled_batch,
    "ping": is_boolean,
    # With frames too many these may be refused: nobody sends such, and a refusal makes nobody wait.
    "get_chunk_size": lambda reply: is_refusal(reply) or is_integer(reply),
    "get_experimental": lambda reply: is_refusal(reply) or isinstance(reply.value, list),
    "noop": lambda reply: is_refusal(reply) or reply.value == "OK",
    # Not part of what is served; any answer will do as long as there is one.
    "cb_unregister_rope": is_anything,
    "cb_unified_lookup": is_anything,
    "cb_protocol_handshake": is_anything,
    "cb_reorder_plan": is_anything,
    "p2p_lookup_and_lock": is_anything,
    "p2p_query_lookup_results": is_anything,
    "server_module_call": is_anything,
}
