# lmcache · SPDX-License-Identifier: Apache-2.0
"""The stream of cache events: one batch at once, then one for each credit."""

from __future__ import annotations

from lmcache_peers.conformance.bench import Bench
from lmcache_peers.conformance.well_behaved import store
from lmcache_peers.report import expect, expect_equal
from lmcache_peers.wire import NoReply, RawClient, Reply, encode, operation_frame
from lmcache_peers.wire_values import EVENT, MODEL, fresh_tokens, key

FIELDS = {"enabled", "incarnation", "next_cursor", "lost", "events"}
QUIET_SECONDS = 0.5


def _next(client: RawClient, uid: bytes, seconds: float) -> Reply | None:
    try:
        return client.next_reply(uid, seconds)
    except NoReply:
        return None


def credit(bench: Bench) -> str:
    """Nothing comes without credit, and nothing comes when there is nothing to say."""
    with bench.connect() as client, bench.server_driven() as (instance, _):
        payloads = [encode(instance), encode(MODEL), encode(0), encode(64)]
        uid = client.submit(operation_frame("subscribe_kv_events"), payloads)
        first = client.next_reply(uid)
        expect_equal("fields of a batch", set(first.value), FIELDS)
        if not first.value["enabled"]:
            expect("kv_event_stream" not in bench.call("get_experimental").value, "advertised, but not enabled")
            return "not enabled, and not advertised"
        bench.call("store", key(fresh_tokens(2)), instance, [[0, 1, 2, 3]], EVENT)
        expect(_next(client, uid, QUIET_SECONDS) is None, "a batch came without credit")
        client.send([uid, b"", b"ack"])
        second = _next(client, uid, 3)
        expect(second is not None and bool(second.value["events"]), f"no events after the credit: {second}")
        expect(second is None or second.operation == operation_frame("subscribe_kv_events"), f"not echoed: {second}")
        client.send([uid, b"", b"ack"])
        expect(_next(client, uid, QUIET_SECONDS) is None, "a batch came with nothing to say")
        client.send([uid, b"", b"cancel"])
        return f"{len(second.value['events']) if second else 0} events for one credit"


def newer_subscription(bench: Bench) -> str:
    """A second subscription of an instance ends the first one."""
    with bench.connect() as client, bench.engine_driven() as (instance, answer):
        payloads = [encode(instance), encode(MODEL), encode(0), encode(64)]
        old = client.submit(operation_frame("subscribe_kv_events"), payloads)
        if not client.next_reply(old).value["enabled"]:
            return "not enabled"
        new = client.submit(operation_frame("subscribe_kv_events"), payloads)
        end = client.next_reply(old)
        expect(end.value_frame is None and end.refusal is None, f"the old stream got {end}")
        expect(client.next_reply(new).value["enabled"], "the new stream is not enabled")
        store(bench, instance, answer, key(fresh_tokens(1)), seed=30)
    return "the old one ended"


SCENARIOS = [credit, newer_subscription]
