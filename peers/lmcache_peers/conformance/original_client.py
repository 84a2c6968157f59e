# lmcache · SPDX-License-Identifier: Apache-2.0
"""LMCache's own client classes: its request client, its heartbeat and its event streams."""

from __future__ import annotations

import threading
import time
from typing import Any

from lmcache_peers import settings
from lmcache_peers.conformance.bench import Bench
from lmcache_peers.processes import wait_for
from lmcache_peers.report import expect, expect_equal
from lmcache_peers.wire_values import (
    CHUNK,
    MODEL,
    engine_driven_registration,
    fresh_number,
    fresh_request,
    fresh_tokens,
)

SECONDS = 5.0


def _client(bench: Bench) -> Any:
    from lmcache.v1.multiprocess.transport.factory import RequestClientFactory

    return RequestClientFactory.create(f"tcp://{settings.LOCAL}:{bench.port}")


def _key(tokens: list[int], worker: int | None = 0) -> Any:
    from lmcache.v1.multiprocess.custom_types import IPCCacheServerKey

    end = len(tokens) // CHUNK * CHUNK
    return IPCCacheServerKey(MODEL, 1, worker, tuple(tokens), 0, end, fresh_request(), num_kv_readers=1)


def simple_requests(bench: Bench) -> str:
    """Its futures complete with the values that it expects."""
    client = _client(bench)
    try:
        expect_equal("chunk size", client.get_chunk_size().result(SECONDS), CHUNK)
        expect(isinstance(client.get_experimental().result(SECONDS), list), "capabilities")
        expect_equal("ping", client.ping(None).result(SECONDS), True)
        expect_equal("noop", client.noop().result(SECONDS), "OK")
        key = _key(fresh_tokens(2), None)
        expect_equal("lookup", client.lookup(key, 1).result(SECONDS), None)
        expect_equal("query", client.query_prefetch_status(key.request_id).result(SECONDS), 0)
        expect_equal("end_session", client.end_session(key.request_id).result(SECONDS), None)
        expect_equal("clear", client.clear(force=False).result(SECONDS), None)
    finally:
        client.close()
    return "8 futures"


def refusal_raises_at_once(bench: Bench) -> str:
    """A registration that cannot be served ends with an exception that tells why, instead of a long wait."""
    from lmcache.v1.multiprocess.custom_types import RegisterEngineDrivenContextPayload

    client = _client(bench)
    wrong = engine_driven_registration(fresh_number(), dtype_str="nosuch")
    began = time.monotonic()
    try:
        future = client.register_kv_cache_engine_driven_context(RegisterEngineDrivenContextPayload(**wrong))
        try:
            value = future.result(SECONDS)
        except TimeoutError:
            raise RuntimeError("no answer") from None
        except Exception as error:  # noqa: BLE001
            expect("error" in str(error), f"the reason is missing in {error!r}")
            return f"{type(error).__name__} after {(time.monotonic() - began) * 1000:.0f} ms: {error}"
        raise RuntimeError(f"answered {value}")
    finally:
        client.close()


def heartbeat_registers_again(bench: Bench) -> str:
    """Its heartbeat turns unhealthy once for an unknown instance, and asks for a registration on the next ping."""
    from lmcache.integration.vllm.vllm_multi_process_adapter import HeartbeatThread

    client, healthy, recoveries, changes = _client(bench), threading.Event(), [], []
    healthy.set()
    beat = HeartbeatThread(client, healthy, interval=0.3, instance_id=fresh_number())
    beat.register_recover_callback(lambda: recoveries.append(time.monotonic()) is None)
    try:
        beat.start()
        wait_for("the unhealthy state", SECONDS, lambda: not healthy.is_set(), pause=0.01)
        changes.append("unhealthy")
        wait_for("the healthy state", SECONDS, healthy.is_set, pause=0.01)
        changes.append("healthy")
        time.sleep(1.5)
        expect(healthy.is_set(), "it turned unhealthy again")
        expect_equal("recoveries", len(recoveries), 1)
    finally:
        beat.stop()
        client.close()
    return ", then ".join(changes)


def event_stream(bench: Bench) -> str:
    """Its event stream hands over a first batch at once."""
    client = _client(bench)
    batches: list[Any] = []
    stream = client.subscribe_kv_events(fresh_number(), MODEL, 0, 16)
    reader = threading.Thread(target=lambda: batches.append(next(iter(stream))), daemon=True)
    try:
        reader.start()
        wait_for("the first batch", SECONDS, lambda: batches)
        return f"enabled {batches[0].enabled}, {len(batches[0].events)} events"
    finally:
        stream.close()
        client.close()


SCENARIOS = [simple_requests, refusal_raises_at_once, heartbeat_registers_again, event_stream]
