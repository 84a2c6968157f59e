# lmcache · SPDX-License-Identifier: Apache-2.0
"""Registrations whose memory is missing, foreign, too small or impossible, and sane ones that turn bad."""

from __future__ import annotations

import os
import pathlib
from typing import Any

import msgspec

from lmcache_peers.conformance.bench import Bench
from lmcache_peers.conformance.expected import is_failed_transfer, is_refusal
from lmcache_peers.report import expect, expect_equal
from lmcache_peers.wire import NoReply
from lmcache_peers.wire_values import (
    EVENT,
    LAYER_BYTES,
    LAYER_STRIDE,
    MODEL,
    Segment,
    fresh_number,
    fresh_tokens,
    key,
    layer,
    layer_fields,
    registration,
)

BIG = 2**63 - 1

WRONG_FIELDS: dict[str, dict[str, Any]] = {
    "missing segment": {"shm_name": "/lmcache_kv_0_missing"},
    "no name": {"shm_name": ""},
    "name that leads elsewhere": {"shm_name": "/../../etc/passwd"},
    "name of a folder": {"shm_name": "/."},
    "name with NUL": {"shm_name": "/lmcache_kv_1\0_2"},
    "long name": {"shm_name": "/" + "x" * 5000},
    "larger than the segment": {"nbytes": LAYER_BYTES * 1000},
    "span beyond the size": {"nbytes": LAYER_BYTES - 1},
    "no bytes": {"nbytes": 0},
    "negative size": {"nbytes": -1},
    "huge size": {"nbytes": BIG},
    "unknown type": {"type": "nosuch"},
    "other version": {"version": 2},
    "unknown dtype": {"dtype": "nosuch"},
    "negative offset": {"storage_offset": -1},
    "offset beyond the size": {"storage_offset": LAYER_BYTES},
    "huge offset": {"storage_offset": BIG},
    "negative dimension": {"shape": [2, -8, 16, 1, 16]},
    "huge dimension": {"shape": [2, BIG, 16, 1, 16]},
    "product beyond 64 bits": {"shape": [2, 2**32, 2**32, 1, 16]},
    "negative stride": {"stride": [*LAYER_STRIDE[:4], -1]},
    "huge stride": {"stride": [BIG, *LAYER_STRIDE[1:]]},
    "span beyond 64 bits": {"shape": [2**31, 2**31, 2, 1, 16], "stride": [2**40, 2**30, 16, 16, 1]},
    "fewer strides than dimensions": {"stride": LAYER_STRIDE[:4]},
    "no dimensions": {"shape": [], "stride": []},
    "a hundred dimensions": {"shape": [1] * 100, "stride": [1] * 100},
    "field that does not exist": {"surprise": 1},
}


def _shapeless(name: str) -> dict[str, Any]:
    fields = layer_fields(name)
    del fields["metadata"]
    return fields


def _other_forms(name: str) -> dict[str, list[Any]]:
    good = layer(name)
    return {
        "no layers": [],
        "a map instead of an extension": [layer_fields(name)],
        "another extension": [msgspec.msgpack.Ext(2, good.data)],
        "empty extension": [msgspec.msgpack.Ext(1, b"")],
        "extension of noise": [msgspec.msgpack.Ext(1, b"\xc1" * 99)],
        "legacy pickle": [msgspec.msgpack.Ext(1, b"\x80\x04\x95\x05\x00\x00\x00\x00\x00\x00\x00K\x01.")],
        "no metadata": [msgspec.msgpack.Ext(1, msgspec.msgpack.encode(_shapeless(name)))],
        "a good one and a missing one": [good, layer("/lmcache_kv_0_missing")],
        "graphics memory of nobody": [
            msgspec.msgpack.Ext(
                1,
                msgspec.msgpack.encode(
                    {
                        "type": "cuda_raw",
                        "ipc_handle": bytes(64),
                        "alloc_offset": 0,
                        "nbytes": LAYER_BYTES,
                        "version": 1,
                        "metadata": {**layer_fields(name)["metadata"], "device_uuid": "0" * 36},
                    }
                ),
            )
        ],
    }


def _wrong_arguments(layers: list[Any]) -> dict[str, list[Any]]:
    def changed(index: int, value: Any) -> list[Any]:
        values = registration(fresh_number(), layers)
        values[index] = value
        return values

    return {
        "model with @": changed(2, "a@b"),
        "world of 0": changed(3, 0),
        "negative world": changed(3, -1),
        "huge world": changed(3, BIG),
        "unknown engine": changed(4, "nosuch"),
        "unknown layout": changed(5, {"kv_layout": "nosuch"}),
        "groups that name no layer": changed(6, [{"engine_group_id": 0, "layer_indices": [99]}]),
        "groups with a negative layer": changed(6, [{"engine_group_id": 0, "layer_indices": [-1]}]),
        "groups with odd tokens": changed(
            6, [{"engine_group_id": 0, "layer_indices": list(range(len(layers))), "tokens_per_block": 7}]
        ),
    }


def _refused(bench: Bench, name: str, values: list[Any], wrong: list[str]) -> None:
    try:
        reply = bench.call("register_kv_cache", *values)
        if not is_refusal(reply):
            wrong.append(f"{name}: {reply}")
            bench.call("unregister_kv_cache", values[0])
    except NoReply:
        wrong.append(f"{name}: no reply")
        bench.expect_alive(wrong[-1])


def wrong_descriptors(bench: Bench) -> str:
    """Each is refused with a reason, and leaves nothing registered."""
    segment, wrong, count = Segment(LAYER_BYTES), [], 0
    try:
        registered = bench.status()["worker_liveness"]["tracked_instances"]
        requests = {
            **{
                name: registration(fresh_number(), [layer(**{"name": segment.name, **changes})])
                for name, changes in WRONG_FIELDS.items()
            },
            **{name: registration(fresh_number(), layers) for name, layers in _other_forms(segment.name).items()},
            **_wrong_arguments([layer(segment.name)]),
        }
        for name, values in requests.items():
            count += 1
            _refused(bench, name, values, wrong)
        bench.expect_alive("wrong descriptors")
        expect(not wrong, f"{len(wrong)} of {count}: " + "; ".join(wrong[:12]))
        expect_equal("instances", bench.status()["worker_liveness"]["tracked_instances"], registered)
    finally:
        segment.remove()
    return f"{count} registrations refused"


def foreign_segments(bench: Bench) -> str:
    """What is no memory of a client's own is refused: pools of servers, links and pipes."""
    wrong: list[str] = []
    names = [f"/{path.name}" for path in pathlib.Path("/dev/shm").glob("lmcache_l1_pool_*")]
    link = pathlib.Path("/dev/shm") / f"lmcache_kv_{os.getpid()}_link"
    pipe = pathlib.Path("/dev/shm") / f"lmcache_kv_{os.getpid()}_pipe"
    try:
        link.symlink_to("/etc/passwd")
        os.mkfifo(pipe)
        for name in [*names, f"/{link.name}", f"/{pipe.name}"]:
            _refused(bench, name, registration(fresh_number(), [layer(name)]), wrong)
        expect(not wrong, "; ".join(wrong))
    finally:
        link.unlink(missing_ok=True)
        pipe.unlink(missing_ok=True)
    return f"{len(names) + 2} names refused"


def segment_that_shrinks(bench: Bench) -> str:
    """A client that cuts its memory short after the registration harms only itself."""
    with bench.server_driven() as (instance, segments):
        for segment in segments:
            segment.resize(0)
        reply = bench.call("store", key(fresh_tokens(2)), instance, [[0, 1, 2, 3]], EVENT)
        expect(is_failed_transfer(reply), f"a store from memory that is gone answered {reply}")
        bench.expect_alive("a segment that shrank")
    bench.expect_alive("the end of its client")
    return "its store failed, the server lives"


def vanished_segment(bench: Bench) -> str:
    """A segment unlinked after the registration still works, as its mapping does."""
    with bench.server_driven() as (instance, segments):
        for segment in segments:
            segment.remove()
        tokens = fresh_tokens(2)
        reply = bench.call("store", key(tokens), instance, [[0, 1, 2, 3]], EVENT)
        expect(isinstance(reply.value, list) and reply.value[1] is True, f"answered {reply}")
        expect_equal("chunks found", bench.lookup(key(tokens)), 2)
    return "stored from an unlinked segment"


def other_memory_under_a_known_id(bench: Bench) -> str:
    """A registration whose descriptors changed replaces the old one."""
    with bench.server_driven() as (instance, segments):
        segments[0].write(0, b"\x01" * LAYER_BYTES)
        moved = [Segment(LAYER_BYTES), Segment(LAYER_BYTES)]
        try:
            moved[0].write(0, b"\x02" * (LAYER_STRIDE[1] * 2 * 2))
            moved[0].write(LAYER_BYTES // 2, b"\x02" * (LAYER_STRIDE[1] * 2 * 2))
            again = bench.call("register_kv_cache", *registration(instance, [layer(one.name) for one in moved], MODEL))
            expect(again.refusal is None, f"answered {again}")
            stored = key(fresh_tokens(1))
            bench.call("store", stored, instance, [[0, 1]], EVENT)
            expect_equal("chunks found", bench.lookup(stored), 1)
            bench.call("retrieve", stored, instance, [[6, 7]], EVENT, 0)
            block = LAYER_STRIDE[1] * 2
            expect_equal("bytes that came back", moved[0].read(6 * block, 2 * block), b"\x02" * (2 * block))
            expect_equal("old memory", segments[0].read(6 * block, 4), b"\x01" * 4)
        finally:
            for one in moved:
                one.remove()
    return "the new memory is used"


SCENARIOS = [
    wrong_descriptors,
    foreign_segments,
    vanished_segment,
    other_memory_under_a_known_id,
    segment_that_shrinks,
]
