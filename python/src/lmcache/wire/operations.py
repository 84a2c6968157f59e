# lmcache · SPDX-License-Identifier: Apache-2.0
"""Names, numbers and result types of the operations (wire protocol, sections 1.3 and 2.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from lmcache.wire.types import (
    EngineDrivenPool,
    KVEventBatch,
    PrepareRetrieveReply,
    PrepareStoreReply,
    ServerModuleReply,
)

NUMBERS: dict[str, int] = {
    "register_kv_cache": 1,
    "unregister_kv_cache": 2,
    "register_q_cache": 3,
    "unregister_q_cache": 4,
    "store_q": 5,
    "store": 6,
    "retrieve": 7,
    "lookup": 8,
    "query_prefetch_status": 9,
    "wait_prefetch_status": 10,
    "free_lookup_locks": 12,
    "end_session": 13,
    "register_kv_cache_engine_driven_context": 14,
    "unregister_kv_cache_engine_driven_context": 15,
    "prepare_store": 16,
    "commit_store": 17,
    "prepare_retrieve": 18,
    "commit_retrieve": 19,
    "clear": 20,
    "get_chunk_size": 21,
    "ping": 22,
    "report_block_allocation": 23,
    "noop": 24,
    "cb_register_rope": 25,
    "cb_unregister_rope": 26,
    "cb_retrieve_pre_computed": 27,
    "cb_unified_lookup": 28,
    "p2p_lookup_and_lock": 29,
    "p2p_query_lookup_results": 30,
    "p2p_unlock_objects": 31,
    "get_experimental": 32,
    "cb_protocol_handshake": 33,
}
"""Operations without a number travel under their name."""

_NAMES = {number: name for name, number in NUMBERS.items()}

_RESULTS: dict[str, Any] = {
    "store": tuple[bytes, bool],
    "retrieve": tuple[bytes, bool],
    "store_q": tuple[bytes, bool],
    "query_prefetch_status": int,
    "wait_prefetch_status": int,
    "register_kv_cache_engine_driven_context": EngineDrivenPool,
    "prepare_store": PrepareStoreReply,
    "commit_store": bool,
    "prepare_retrieve": PrepareRetrieveReply,
    "commit_retrieve": bool,
    "get_chunk_size": int,
    "ping": bool,
    "noop": str,
    "get_experimental": list[str],
    "subscribe_kv_events": KVEventBatch,
    "server_module_call": ServerModuleReply,
}

_DECODERS: dict[str, Callable[[bytes], Any]] = {
    name: msgspec.msgpack.Decoder(result, strict=False).decode for name, result in _RESULTS.items()
}


def encode_operation(name: str) -> bytes:
    """The operation frame: the number where there is one."""
    return msgspec.msgpack.encode(NUMBERS.get(name, name))


def decode_operation(frame: bytes) -> str:
    """The name in an operation frame; a frame of neither kind gives its decoded value as text."""
    value = msgspec.msgpack.decode(frame)
    return _NAMES.get(value, f"operation {value}") if isinstance(value, int) else str(value)


def decode_result(name: str, frame: bytes | None) -> Any:
    """The value of an answer, none when the answer has no value frame. Raises `msgspec.MsgspecError`."""
    if frame is None:
        return None
    return _DECODERS.get(name, msgspec.msgpack.decode)(frame)
