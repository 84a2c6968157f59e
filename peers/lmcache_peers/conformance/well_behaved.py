# lmcache · SPDX-License-Identifier: Apache-2.0
"""Requests in order, whose answers and bytes are all determined."""

from __future__ import annotations

import pathlib
from typing import Any

from lmcache_peers.conformance.bench import Bench
from lmcache_peers.conformance.expected import NOT_FOUND, NOTHING_TO_STORE, is_failed_transfer, is_no_value
from lmcache_peers.report import expect, expect_equal
from lmcache_peers.wire_values import (
    EVENT,
    LAYER_BYTES,
    LAYER_STRIDE,
    MODEL,
    OBJECT_BYTES,
    OBJECT_SHAPE,
    engine_driven_registration,
    fresh_number,
    fresh_request,
    fresh_tokens,
    key,
)


def _pool(answer: dict[str, Any]) -> pathlib.Path:
    return pathlib.Path("/dev/shm") / str(answer["shm_name"]).lstrip("/")


def write_slots(answer: dict[str, Any], slots: list[dict[str, Any]], seed: int) -> list[bytes]:
    """Fills the slots with bytes of their own and returns these."""
    contents = [
        bytes((seed + index) % 251 + place % 4 for place in range(slot["length"])) for index, slot in enumerate(slots)
    ]
    with _pool(answer).open("r+b") as pool:
        for slot, content in zip(slots, contents, strict=True):
            pool.seek(slot["offset"])
            pool.write(content)
    return contents


def read_slots(answer: dict[str, Any], slots: list[dict[str, Any]]) -> list[bytes]:
    with _pool(answer).open("rb") as pool:
        contents = []
        for slot in slots:
            pool.seek(slot["offset"])
            contents.append(pool.read(slot["length"]))
        return contents


def store(bench: Bench, instance: int, answer: dict[str, Any], wanted: dict[str, Any], seed: int) -> list[bytes]:
    """Stores all chunks of a key through the pool."""
    slots = bench.call("prepare_store", wanted, instance).value["context"]["slots"]
    contents = write_slots(answer, slots, seed)
    if slots:
        expect_equal("commit_store", bench.call("commit_store", wanted, instance, b"").value, True)
    return contents


def load(bench: Bench, instance: int, answer: dict[str, Any], wanted: dict[str, Any]) -> list[bytes]:
    """Loads all chunks of a key that was looked up."""
    reply = bench.call("prepare_retrieve", wanted, instance).value
    expect_equal("prepare_retrieve", reply["success"], True)
    contents = read_slots(answer, reply["context"]["slots"])
    expect_equal("commit_retrieve", bench.call("commit_retrieve", wanted, instance).value, True)
    return contents


def management(bench: Bench) -> str:
    """The requests that never fail."""
    expect_equal("noop", bench.call("noop").value, "OK")
    expect_equal("ping of nobody", bench.call("ping", None).value, True)
    expect(isinstance(bench.call("get_experimental").value, list), "get_experimental is no list")
    record = {"req_id": "r", "new_block_ids": [1, 2], "new_token_ids": [3, 4]}
    expect(is_no_value(bench.call("report_block_allocation", 1, MODEL, [record])), "report_block_allocation")
    answer = bench.call("server_module_call", {"method": "m", "payload": b""}).value
    expect_equal("server_module_call", (answer["success"], answer["payload"]), (False, b""))
    return "noop, ping, capabilities, reports"


def slots_and_bytes(bench: Bench) -> str:
    """Slots lie apart inside the pool; bytes are found after the commit only, and come back as written."""
    with bench.engine_driven() as (instance, answer):
        expect(answer["shm_name"] and answer["pool_size"], f"no pool in {answer}")
        again = bench.call("register_kv_cache_engine_driven_context", engine_driven_registration(instance)).value
        expect_equal("answer to a repeated registration", again, answer)
        wanted = key(fresh_tokens(3))
        context = bench.call("prepare_store", wanted, instance).value["context"]
        slots = context["slots"]
        expect_equal("chunk_indices", context["chunk_indices"], [0, 1, 2])
        expect_equal("fields", {tuple(slot) for slot in slots}, {("offset", "length", "shape", "dtype")})
        expect_equal("shapes", [slot["shape"] for slot in slots], [OBJECT_SHAPE] * 3)
        expect_equal("dtypes", {slot["dtype"] for slot in slots}, {"float16"})
        expect_equal("lengths", {slot["length"] for slot in slots}, {OBJECT_BYTES})
        starts = sorted(slot["offset"] for slot in slots)
        expect(starts[0] >= 0 and starts[-1] + OBJECT_BYTES <= answer["pool_size"], "a slot lies outside the pool")
        expect(all(b - a >= OBJECT_BYTES for a, b in zip(starts, starts[1:], strict=False)), "slots overlap")
        written = write_slots(answer, slots, seed=1)
        expect_equal("chunks found before the commit", bench.lookup({**wanted, "request_id": fresh_request()}), 0)
        expect_equal("commit", bench.call("commit_store", wanted, instance, b"").value, True)
        expect_equal("second commit", bench.call("commit_store", wanted, instance, b"").value, False)
        expect_equal("chunks found", bench.lookup(wanted), 3)
        expect(load(bench, instance, answer, wanted) == written, "other bytes came back")
        expect_equal("second prepare_store", bench.call("prepare_store", wanted, instance).value, NOTHING_TO_STORE)
        expect(is_no_value(bench.call("end_session", wanted["request_id"])), "end_session has a value")
    return "3 chunks out and back"


def results_are_given_once(bench: Bench) -> str:
    """The result of a lookup is given once; unknown requests and models have 0."""
    expect_equal("query of nothing", bench.call("query_prefetch_status", fresh_request()).value, 0)
    expect_equal("wait for nothing", bench.call("wait_prefetch_status", fresh_request(), 60.0).value, 0)
    unknown = key(fresh_tokens(2), None, model_name="conformance/unknown")
    expect_equal("lookup of an unknown model", bench.lookup(unknown), 0)
    with bench.engine_driven() as (instance, answer):
        wanted = key(fresh_tokens(2))
        store(bench, instance, answer, wanted, seed=2)
        expect_equal("first query", bench.lookup(wanted), 2)
        expect_equal("second query", bench.call("query_prefetch_status", wanted["request_id"]).value, 0)
        waiting = {**wanted, "request_id": fresh_request(), "worker_id": None}
        bench.call("lookup", waiting, 1)
        expect_equal("wait", bench.call("wait_prefetch_status", waiting["request_id"], 10.0).value, 2)
    return "2, then 0; unknown 0"


def whole_chunks_of_a_prefix(bench: Bench) -> str:
    """Only whole chunks from the start on count, whatever follows."""
    with bench.engine_driven() as (instance, answer):
        tokens = fresh_tokens(3)
        store(bench, instance, answer, key(tokens), seed=3)
        cases = {
            "longer": ([*tokens, *fresh_tokens(2)], 3),
            "shorter": (tokens[:64], 2),
            "a partial chunk": (tokens[:95], 2),
            "another second chunk": ([*tokens[:32], 0, *tokens[33:]], 1),
            "another first token": ([tokens[0] ^ 1, *tokens[1:]], 0),
        }
        for name, (asked, expected) in cases.items():
            expect_equal(f"chunks found for {name}", bench.lookup(key(asked)), expected)
    return f"{len(cases)} prefixes"


def salts(bench: Bench) -> str:
    """A salt has a cache of its own."""
    with bench.engine_driven() as (instance, answer):
        tokens = fresh_tokens(2)
        one = store(bench, instance, answer, key(tokens, cache_salt="one"), seed=4)
        expect_equal("found without a salt", bench.lookup(key(tokens)), 0)
        expect_equal("found with another salt", bench.lookup(key(tokens, cache_salt="two")), 0)
        two = store(bench, instance, answer, key(tokens, cache_salt="two"), seed=5)
        for salt, written in (("one", one), ("two", two)):
            wanted = key(tokens, cache_salt=salt)
            expect_equal(f"found with {salt}", bench.lookup(wanted), 2)
            expect(load(bench, instance, answer, wanted) == written, f"other bytes under {salt}")
    return "two salts, two contents"


def transfers_without_a_lookup(bench: Bench) -> str:
    """A load needs the locks of a lookup."""
    with bench.engine_driven() as (instance, answer):
        wanted = key(fresh_tokens(2))
        store(bench, instance, answer, wanted, seed=6)
        expect_equal("prepare_retrieve", bench.call("prepare_retrieve", wanted, instance).value, NOT_FOUND)
        expect_equal("commit_retrieve", bench.call("commit_retrieve", wanted, instance).value, True)
    with bench.server_driven() as (instance, _):
        wanted = key(fresh_tokens(2))
        bench.call("store", wanted, instance, [[0, 1, 2, 3]], EVENT)
        reply = bench.call("retrieve", wanted, instance, [[4, 5, 6, 7]], EVENT, 0)
        expect_equal("retrieve", reply.value[1], False)
    return "refused in both ways"


def unregistered_instances(bench: Bench) -> str:
    """Instances that nobody registered store and load nothing."""
    instance, wanted = fresh_number(), key(fresh_tokens(2))
    expect(is_failed_transfer(bench.call("store", wanted, instance, [[0, 1, 2, 3]], EVENT)), "store")
    expect(is_failed_transfer(bench.call("retrieve", wanted, instance, [[0, 1, 2, 3]], EVENT, 0)), "retrieve")
    expect_equal("prepare_store", bench.call("prepare_store", wanted, instance).value, NOTHING_TO_STORE)
    expect_equal("commit_store", bench.call("commit_store", wanted, instance, b"").value, False)
    expect_equal("prepare_retrieve", bench.call("prepare_retrieve", wanted, instance).value, NOT_FOUND)
    expect_equal("commit_retrieve", bench.call("commit_retrieve", wanted, instance).value, True)
    for operation in ("unregister_kv_cache", "unregister_kv_cache_engine_driven_context"):
        expect(is_no_value(bench.call(operation, instance)), operation)
    return "8 requests"


def server_driven_bytes(bench: Bench) -> str:
    """Blocks come back where they are asked for, a skipped head and all other blocks stay as they are."""
    with bench.server_driven() as (instance, segments):
        block = LAYER_STRIDE[1] * 2
        contents = [bytes((place // block + number * 16) % 256 for place in range(LAYER_BYTES)) for number in (1, 2)]
        for segment, content in zip(segments, contents, strict=True):
            segment.write(0, content)
        wanted = key(fresh_tokens(2))
        reply = bench.call("store", wanted, instance, [[1, 5, 2, 6]], EVENT)
        expect_equal("store", reply.value[1], True)
        expect(reply.value[0] != b"", "a successful store has no event")
        expect_equal("chunks found", bench.lookup(wanted), 2)
        for segment in segments:
            segment.write(0, bytes(LAYER_BYTES))
        # The first 16 tokens, one block, are to be skipped.
        reply = bench.call("retrieve", wanted, instance, [[3, 4, 7, 1]], EVENT, 16)
        expect_equal("retrieve", reply.value[1], True)
        moved = {4: 5, 7: 2, 1: 6}
        for segment, content in zip(segments, contents, strict=True):
            for plane in range(2):
                for number in range(8):
                    start = (plane * 8 + number) * block
                    source = (plane * 8 + moved[number]) * block if number in moved else None
                    expected = bytes(block) if source is None else content[source : source + block]
                    expect(segment.read(start, block) == expected, f"plane {plane}, block {number} is wrong")
    return "4 blocks stored, 3 brought back, the others untouched"


SCENARIOS = [
    management,
    slots_and_bytes,
    results_are_given_once,
    whole_chunks_of_a_prefix,
    salts,
    transfers_without_a_lookup,
    unregistered_instances,
    server_driven_bytes,
]
