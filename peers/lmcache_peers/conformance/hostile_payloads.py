# lmcache · SPDX-License-Identifier: Apache-2.0
"""Every operation with every payload spoiled in every way."""

from __future__ import annotations

from typing import Any

from lmcache_peers.conformance.bench import Bench
from lmcache_peers.conformance.damage import spoiled
from lmcache_peers.conformance.expected import ON_FAILURE
from lmcache_peers.report import expect
from lmcache_peers.wire import NoReply, encode
from lmcache_peers.wire_values import (
    EVENT,
    MODEL,
    engine_driven_registration,
    fresh_number,
    fresh_tokens,
    key,
    layer,
    registration,
)


def _requests(server_driven: int, engine_driven: int) -> dict[str, list[Any]]:
    """A request for each operation that would be in order but for what is spoiled."""
    tokens = fresh_tokens(2)
    missing = [layer("/lmcache_kv_0_missing")]
    blocks = [[0, 1, 2, 3]]
    return {
        "get_chunk_size": [],
        "get_experimental": [],
        "noop": [],
        "ping": [server_driven],
        "register_kv_cache": registration(fresh_number(), missing),
        "register_q_cache": registration(fresh_number(), missing),
        "register_kv_cache_engine_driven_context": [engine_driven_registration(fresh_number())],
        "unregister_kv_cache": [fresh_number()],
        "unregister_q_cache": [fresh_number()],
        "unregister_kv_cache_engine_driven_context": [fresh_number()],
        "lookup": [key(tokens, worker=None), 1],
        "query_prefetch_status": ["conformance-unknown"],
        "wait_prefetch_status": ["conformance-unknown", 0.5],
        "free_lookup_locks": [key(tokens, worker=None), 1],
        "end_session": ["conformance-unknown"],
        "store": [key(tokens), server_driven, blocks, EVENT],
        "retrieve": [key(tokens), server_driven, blocks, EVENT, 0],
        "store_q": [key(tokens), server_driven, blocks, EVENT],
        "prepare_store": [key(tokens), engine_driven],
        "commit_store": [key(tokens), engine_driven, b""],
        "prepare_retrieve": [key(tokens), engine_driven],
        "commit_retrieve": [key(tokens), engine_driven],
        "clear": [False],
        "report_block_allocation": [1, MODEL, [{"req_id": "r", "new_block_ids": [1], "new_token_ids": [2]}]],
        "subscribe_kv_events": [fresh_number(), MODEL, 0, 16],
        "server_module_call": [{"method": "m", "payload": b""}],
        "cb_protocol_handshake": [1],
        "cb_register_rope": [1, missing, 64, True, [1], [[1]], [1], "none"],
        "cb_unregister_rope": [1],
        "cb_unified_lookup": [key(tokens), 1],
        "cb_retrieve_pre_computed": [key(tokens), [], blocks, server_driven, EVENT],
        "cb_reorder_plan": [key(tokens), 1, 1],
        "p2p_lookup_and_lock": [[], {}],
        "p2p_query_lookup_results": [1],
        "p2p_unlock_objects": [[]],
    }


def spoiled_payloads(bench: Bench) -> str:
    """Each is answered at once in the way that its client can bear."""
    wrong: list[str] = []
    count = 0
    with bench.server_driven() as (server_driven, _), bench.engine_driven() as (engine_driven, _answer):
        for operation, values in _requests(server_driven, engine_driven).items():
            for name, payloads in spoiled([encode(value) for value in values]):
                count += 1
                try:
                    reply = bench.client.call_raw(operation, payloads)
                except NoReply:
                    wrong.append(f"{operation}, {name}: no reply")
                    bench.expect_alive(wrong[-1])
                    expect(len(wrong) < 12, "; ".join(wrong))
                    continue
                if not ON_FAILURE[operation](reply):
                    wrong.append(f"{operation}, {name}: {reply}")
            bench.expect_alive(f"spoiled {operation}")
    expect(not wrong, f"{len(wrong)} of {count}: " + "; ".join(wrong[:12]))
    return f"{count} requests answered as due"


SCENARIOS = [spoiled_payloads]
