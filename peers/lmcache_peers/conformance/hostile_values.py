# lmcache · SPDX-License-Identifier: Apache-2.0
"""Requests that decode, but whose numbers and names make no sense."""

from __future__ import annotations

from typing import Any

from lmcache_peers.conformance.bench import Bench
from lmcache_peers.conformance.expected import ON_FAILURE
from lmcache_peers.report import expect, expect_equal
from lmcache_peers.wire import NoReply
from lmcache_peers.wire_values import (
    BLOCKS,
    CHUNK,
    EVENT,
    LAYER_BYTES,
    MODEL,
    engine_driven_registration,
    fresh_number,
    fresh_tokens,
    key,
)

BIG = 2**63 - 1

# Changes to a key of two whole chunks, none of which a server can serve for one block of bytes.
WRONG_KEYS: dict[str, dict[str, Any]] = {
    "negative start": {"start": -CHUNK},
    "negative end": {"end": -1},
    "unaligned end": {"end": 2 * CHUNK - 1},
    "end beyond the tokens": {"end": 100 * CHUNK},
    "huge end": {"end": BIG},
    "huge range": {"start": -BIG, "end": BIG},
    "negative token": {"token_ids": [-1] * 64},
    "token of 33 bits": {"token_ids": [2**32] * 64},
    "no tokens": {"token_ids": []},
    "salt with @": {"cache_salt": "a@b"},
    "salt with a slash": {"cache_salt": "../x"},
    "salt with NUL": {"cache_salt": "\0"},
    "long salt": {"cache_salt": "x" * 129},
    "model with @": {"model_name": "a@b"},
    "world of 0": {"world_size": 0},
    "negative world": {"world_size": -1},
    "world of 256": {"world_size": 256},
    "huge world": {"world_size": BIG},
}

# Only of concern when the key names one worker.
WRONG_WORKERS: dict[str, dict[str, Any]] = {
    "no worker": {"worker_id": None},
    "negative worker": {"worker_id": -1},
    "huge worker": {"worker_id": BIG},
}

WRONG_BLOCKS: dict[str, list[list[int]]] = {
    "no group": [],
    "empty group": [[]],
    "a group too many": [[0, 1, 2, 3], [0, 1, 2, 3]],
    "too few": [[0, 1, 2]],
    "one beyond the last": [[0, 1, 2, BLOCKS]],
    "negative": [[0, 1, 2, -1]],
    "huge": [[0, 1, 2, BIG]],
    "2^32": [[0, 1, 2, 2**32]],
    "most negative": [[-BIG - 1, 1, 2, 3]],
}

WRONG_REGISTRATIONS: dict[str, dict[str, Any]] = {
    "unknown dtype": {"dtype_str": "nosuch"},
    "dtype that is an attribute": {"dtype_str": "__class__"},
    "no slots": {"num_physical_slots": 0},
    "negative slots": {"num_physical_slots": -1},
    "huge slots": {"num_physical_slots": BIG},
    "negative layers": {"num_layers": -1},
    "no layers": {"num_layers": 0},
    "huge layers": {"num_layers": BIG},
    "negative width": {"hidden_dim_size": -16},
    "huge width": {"hidden_dim_size": BIG},
    "product beyond 64 bits": {"num_layers": 2**32, "hidden_dim_size": 2**32},
}


class _Tally:
    """Collects the requests that were not answered as due."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.count = 0
        self.wrong: list[str] = []

    def check(self, operation: str, name: str, *values: Any) -> None:
        self.count += 1
        try:
            reply = self.bench.call(operation, *values)
            if not ON_FAILURE[operation](reply):
                self.wrong.append(f"{operation}, {name}: {reply}")
        except NoReply:
            self.wrong.append(f"{operation}, {name}: no reply")
            self.bench.expect_alive(self.wrong[-1])

    def finish(self) -> str:
        self.bench.expect_alive("wrong values")
        expect(not self.wrong, f"{len(self.wrong)} of {self.count}: " + "; ".join(self.wrong[:12]))
        return f"{self.count} requests answered as due"


def wrong_keys(bench: Bench) -> str:
    """Keys with impossible ranges, tokens, worlds, workers and salts."""
    tally = _Tally(bench)
    with bench.server_driven() as (server_driven, _), bench.engine_driven() as (engine_driven, _answer):
        for name, changes in {**WRONG_KEYS, **WRONG_WORKERS}.items():
            wrong = key(fresh_tokens(2), **changes)
            tally.check("store", name, wrong, server_driven, [[0, 1, 2, 3]], EVENT)
            tally.check("retrieve", name, wrong, server_driven, [[0, 1, 2, 3]], EVENT, 0)
            tally.check("prepare_store", name, wrong, engine_driven)
            tally.check("commit_store", name, wrong, engine_driven, b"")
            tally.check("prepare_retrieve", name, wrong, engine_driven)
            tally.check("commit_retrieve", name, wrong, engine_driven)
        for name, changes in WRONG_KEYS.items():
            wrong = key(fresh_tokens(2), None, **changes)
            tally.check("lookup", name, wrong, 1)
            tally.check("query_prefetch_status", name, wrong["request_id"])
            tally.check("free_lookup_locks", name, wrong, 1)
            tally.check("end_session", name, wrong["request_id"])
    return tally.finish()


def reader_counts(bench: Bench) -> str:
    """Numbers of readers that a lookup cannot take."""
    tally = _Tally(bench)
    with bench.engine_driven():
        for readers in (0, -1, -BIG, 10**9, BIG):
            wrong = key(fresh_tokens(2), None, num_kv_readers=readers)
            tally.check("lookup", f"{readers} readers", wrong, 1)
            tally.check("query_prefetch_status", f"{readers} readers", wrong["request_id"])
            tally.check("free_lookup_locks", f"{readers} readers", wrong, 1)
    return tally.finish()


def wrong_blocks(bench: Bench) -> str:
    """Block ids that are not there: nothing is stored, and nothing is written."""
    tally = _Tally(bench)
    with bench.server_driven() as (instance, segments):
        for name, blocks in WRONG_BLOCKS.items():
            tokens = fresh_tokens(2)
            tally.check("store", name, key(tokens), instance, blocks, EVENT)
            expect_equal(f"chunks stored with blocks of {name}", bench.lookup(key(tokens)), 0)
        good = key(fresh_tokens(2))
        bench.call("store", good, instance, [[0, 1, 2, 3]], EVENT)
        segments[0].write(0, b"\x5a" * LAYER_BYTES)
        for name, blocks in WRONG_BLOCKS.items():
            bench.lookup({**good, "request_id": f"{name}-{instance}"})
            tally.check("retrieve", name, {**good, "request_id": f"{name}-{instance}"}, instance, blocks, EVENT, 0)
        for skip in (-1, -BIG):
            wrong = {**good, "request_id": f"skip{skip}-{instance}"}
            bench.lookup(wrong)
            tally.check("retrieve", f"skip of {skip}", wrong, instance, [[4, 5, 6, 7]], EVENT, skip)
        expect(segments[0].read(0, LAYER_BYTES) == b"\x5a" * LAYER_BYTES, "a refused retrieve wrote bytes")
    return tally.finish()


def wrong_engine_driven_registrations(bench: Bench) -> str:
    """Shapes that no object can have."""
    tally = _Tally(bench)
    for name, changes in WRONG_REGISTRATIONS.items():
        wrong = engine_driven_registration(fresh_number(), **changes)
        tally.check("register_kv_cache_engine_driven_context", name, wrong)
    return tally.finish()


def wrong_times_and_cursors(bench: Bench) -> str:
    """Timeouts and cursors out of range are answered at once."""
    tally = _Tally(bench)
    for timeout in (-1.0, float("nan"), float("inf"), 1e300):
        tally.check("wait_prefetch_status", f"timeout {timeout}", "conformance-unknown", timeout)
    for cursor, limit in ((-1, 16), (0, 0), (0, 1025), (0, -1), (BIG, BIG)):
        tally.check("subscribe_kv_events", f"cursor {cursor}, limit {limit}", fresh_number(), MODEL, cursor, limit)
    return tally.finish()


SCENARIOS = [wrong_keys, reader_counts, wrong_blocks, wrong_engine_driven_registrations, wrong_times_and_cursors]
