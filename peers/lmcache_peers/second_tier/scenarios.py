# lmcache · SPDX-License-Identifier: Apache-2.0
"""What a second tier must do, byte for byte."""

from __future__ import annotations

import pathlib
from typing import Any

from lmcache_peers.conformance.bench import Bench
from lmcache_peers.conformance.well_behaved import load, store
from lmcache_peers.processes import wait_for
from lmcache_peers.report import expect, expect_equal
from lmcache_peers.second_tier.tiered import Tiered, adapters, expect_empty, lookup, poll, wait_until_stored
from lmcache_peers.wire_values import fresh_request, fresh_tokens, key


def _fill(tiered: Tiered, keys: list[dict[str, Any]], *options: str) -> list[list[bytes]]:
    """Stores every key with bytes of its own through a server that is stopped afterwards."""
    with tiered.bench(*options) as bench, bench.engine_driven() as (instance, answer):
        written = [store(bench, instance, answer, wanted, seed=5 + 7 * n) for n, wanted in enumerate(keys)]
        wait_until_stored(bench, sum(len(one) for one in written))
    return written


def _again(wanted: dict[str, Any]) -> dict[str, Any]:
    return {**wanted, "request_id": fresh_request()}


def a_restart_serves_what_was_stored(tiered: Tiered) -> str:
    """Store, stop, start: lookups hit and the bytes are those that were stored."""
    keys = [key(fresh_tokens(4)), key(fresh_tokens(7)), key(fresh_tokens(3), cache_salt="tenant")]
    written = _fill(tiered, keys)
    with tiered.bench() as bench, bench.engine_driven() as (instance, answer):
        for wanted, content in zip(keys, written, strict=True):
            wanted = _again(wanted)
            expect_equal("chunks found", lookup(bench, wanted), len(content))
            expect(load(bench, instance, answer, wanted) == content, "other bytes came back")
            bench.call("end_session", wanted["request_id"])
        expect_empty(bench)
        other = _again({**keys[2], "cache_salt": "another"})
        expect_equal("chunks found under another salt", lookup(bench, other), 0)
    return f"{sum(len(one) for one in written)} objects out and back"


def a_query_says_pending_and_then_the_hit(tiered: Tiered) -> str:
    """vLLM polls: no value while the tier is asked, then the hit, once."""
    wanted = key(fresh_tokens(6))
    _fill(tiered, [wanted])
    with tiered.bench("--l2-prefetch-policy", "retain") as bench, bench.engine_driven():
        wanted = _again(wanted)
        found, pending = poll(bench, wanted)
        expect_equal("chunks found", found, 6)
        expect_equal("second answer", bench.call("query_prefetch_status", wanted["request_id"]).value, 0)
        bench.call("end_session", wanted["request_id"])
        expect_equal("objects kept in the pool", bench.memory()["total_object_count"], 6)
        wanted = _again(wanted)
        found, second = poll(bench, wanted)
        expect_equal("chunks found in the pool", (found, second), (6, 0))
    return f"{pending} times pending"


def a_prefix_of_which_the_pool_has_a_part(tiered: Tiered) -> str:
    """The pool has the first chunks, the tier the rest; one lookup gives both."""
    tokens = fresh_tokens(6)
    wanted = key(tokens)
    written = _fill(tiered, [wanted])[0]
    with tiered.bench("--l2-prefetch-policy", "retain") as bench, bench.engine_driven() as (instance, answer):
        first = _again({**wanted, "end": 2 * 32})
        expect_equal("chunks found of the first two", lookup(bench, first), 2)
        bench.call("end_session", first["request_id"])
        whole = _again(wanted)
        expect_equal("chunks found", lookup(bench, whole), 6)
        expect(load(bench, instance, answer, whole) == written, "other bytes came back")
    return "2 from the pool, 4 from the tier"


def a_dropped_pool_still_serves(tiered: Tiered) -> str:
    """`skip_l1` empties the pool, and lookups bring everything back."""
    wanted = key(fresh_tokens(5))
    with tiered.bench("--l2-store-policy", "skip_l1") as bench, bench.engine_driven() as (instance, answer):
        written = store(bench, instance, answer, wanted, seed=11)
        wait_until_stored(bench, 5)
        expect_empty(bench)
        again = _again(wanted)
        expect_equal("chunks found", lookup(bench, again), 5)
        expect(load(bench, instance, answer, again) == written, "other bytes came back")
    return "5 objects through the tier alone"


def damaged_files_are_misses(tiered: Tiered) -> str:
    """A short file, a long one, a directory and an unreadable name end the prefix there; storing again heals."""
    wanted = key(fresh_tokens(6))
    written = _fill(tiered, [wanted])[0]
    files = _files_in_order(tiered, written)
    with files[4].open("r+b") as file:
        file.truncate(files[4].stat().st_size - 1)
    with tiered.bench() as bench, bench.engine_driven() as (instance, answer):
        short = _again(wanted)
        expect_equal("chunks before the short file", lookup(bench, short), 4)
        bench.call("end_session", short["request_id"])
        files[2].unlink()
        files[2].mkdir()
        gone = _again(wanted)
        expect_equal("chunks before the directory", lookup(bench, gone), 2)
        loaded = load(bench, instance, answer, {**gone, "end": 2 * 32})
        expect(loaded == written[:2], "other bytes came back")
        bench.call("end_session", gone["request_id"])
        files[2].rmdir()
        again = store(bench, instance, answer, _again(wanted), seed=5)
        expect_equal("chunks stored again", len(again), 6)
        wait_until_stored(bench, 6)
    with tiered.bench() as bench, bench.engine_driven() as (instance, answer):
        healed = _again(wanted)
        expect_equal("chunks found", lookup(bench, healed), 6)
        expect(load(bench, instance, answer, healed) == written, "other bytes came back")
    return "short, missing and healed"


def _files_in_order(tiered: Tiered, written: list[bytes]) -> list[pathlib.Path]:
    by_content = {path.read_bytes(): path for path in tiered.directory.glob("*.data")}
    return [by_content[content] for content in written]


def another_layout_is_a_miss(tiered: Tiered) -> str:
    """The model comes back with another element type: nothing of before is served, nothing is overwritten."""
    wanted = key(fresh_tokens(4), model_name="peers/layouts")
    with tiered.bench() as bench, bench.engine_driven(model_name="peers/layouts") as (instance, answer):
        written = store(bench, instance, answer, wanted, seed=3)
        wait_until_stored(bench, 4)
    with (
        tiered.bench() as bench,
        bench.engine_driven(model_name="peers/layouts", dtype_str="bfloat16") as (instance, answer),
    ):
        expect_equal("chunks found with another type", lookup(bench, _again(wanted)), 0)
        store(bench, instance, answer, _again(wanted), seed=9)
        wait_until_stored(bench, 0)
    with tiered.bench() as bench, bench.engine_driven(model_name="peers/layouts") as (instance, answer):
        again = _again(wanted)
        expect_equal("chunks found with the first type", lookup(bench, again), 4)
        expect(load(bench, instance, answer, again) == written, "other bytes came back")
    return "kept apart"


def two_tiers_and_one_loses(tiered: Tiered) -> str:
    """Both tiers are written; one whose loads all fail costs nothing but its turn."""
    both = [{"type": "fault_inject", "inner": {"type": "mock", "max_size_gb": 1}, "rate": 1.0}, tiered.adapter]
    wanted = key(fresh_tokens(5))
    with (
        tiered.bench("--l2-store-policy", "skip_l1", adapters=both) as bench,
        bench.engine_driven() as (instance, answer),
    ):
        written = store(bench, instance, answer, wanted, seed=21)
        wait_until_stored(bench, 5)
        again = _again(wanted)
        expect_equal("chunks found", lookup(bench, again), 5)
        expect(load(bench, instance, answer, again) == written, "other bytes came back")
        failed, served = adapters(bench)
        expect(failed["failed"] >= 5 and served["loaded_bytes"] > 0, f"{failed} {served}")
    return "the second tier served"


def usage_is_known_after_a_restart(tiered: Tiered) -> str:
    """A tier with a capacity knows after a restart what it holds, and what is stored meanwhile counts once."""
    limited = [tiered.adapter | {"max_capacity_gb": 1}]

    def usage(bench: Bench) -> tuple[int, int]:
        wait_for("the count", 20, lambda: adapters(bench)[0]["usage"] == "complete", pause=0.02)
        (one,) = adapters(bench)
        return int(one["stored_object_count"]), int(one["current_size_bytes"])

    wanted, more = key(fresh_tokens(6)), key(fresh_tokens(3))
    with tiered.bench(adapters=limited) as bench, bench.engine_driven() as (instance, answer):
        held = usage(bench)
        written = store(bench, instance, answer, wanted, seed=41)
        wait_until_stored(bench, held[0] + 6)
        before = usage(bench)
    expect_equal("objects and bytes after a store", before, (held[0] + 6, held[1] + sum(map(len, written))))
    with tiered.bench(adapters=limited) as bench, bench.engine_driven() as (instance, answer):
        written = store(bench, instance, answer, more, seed=42)
        wait_until_stored(bench, before[0] + 3)
        after = usage(bench)
    expect_equal("objects and bytes after a restart", after, (before[0] + 3, before[1] + sum(map(len, written))))
    return f"{after[0]} objects of {after[1]} bytes"


def two_servers_share_the_tier(tiered: Tiered) -> str:
    """What one server stores, the other one serves while both run."""
    wanted = key(fresh_tokens(4))
    with tiered.bench() as one, tiered.bench() as two:
        with one.engine_driven() as (instance, answer):
            written = store(one, instance, answer, wanted, seed=33)
            wait_until_stored(one, 4)
        with two.engine_driven() as (instance, answer):
            again = _again(wanted)
            expect_equal("chunks found", lookup(two, again), 4)
            expect(load(two, instance, answer, again) == written, "other bytes came back")
    return "4 objects from one to the other"


def a_client_that_leaves(tiered: Tiered) -> str:
    """Connections that end in the middle of a prefetch leave nothing behind."""
    wanted = key(fresh_tokens(8))
    _fill(tiered, [wanted])
    with tiered.bench() as bench, bench.engine_driven():
        for _ in range(30):
            with bench.connect() as other:
                other.call("lookup", {**_again(wanted), "worker_id": None}, 1)
        expect_empty(bench)
    return "30 of them"


SCENARIOS = [
    a_restart_serves_what_was_stored,
    a_query_says_pending_and_then_the_hit,
    a_prefix_of_which_the_pool_has_a_part,
    a_dropped_pool_still_serves,
    damaged_files_are_misses,
    another_layout_is_a_miss,
    two_tiers_and_one_loses,
    usage_is_known_after_a_restart,
    two_servers_share_the_tier,
    a_client_that_leaves,
]
# They look into a directory of ours.
IN_A_DIRECTORY = [damaged_files_are_misses]
