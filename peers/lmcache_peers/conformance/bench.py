# lmcache · SPDX-License-Identifier: Apache-2.0
"""What the conformance cases share: the server's ports, a connection, and registered instances."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lmcache_peers import settings, web
from lmcache_peers.report import expect
from lmcache_peers.wire import RawClient, Reply
from lmcache_peers.wire_values import (
    LAYER_BYTES,
    MODEL,
    Segment,
    engine_driven_registration,
    fresh_number,
    layer,
    registration,
)


@dataclass
class Bench:
    """A running server and one well-behaved connection to it."""

    port: int
    http_port: int
    client: RawClient
    seconds: float = 3.0
    delay: float = 0.0
    """How long a store may take to become visible after its answer."""

    def connect(self) -> RawClient:
        return RawClient(self.port, self.seconds)

    def call(self, operation: str, *values: Any) -> Reply:
        return self.client.call(operation, *values)

    def status(self) -> dict[str, Any]:
        return dict(web.get_json(f"http://{settings.LOCAL}:{self.http_port}/status"))

    def memory(self) -> dict[str, Any]:
        return dict(self.status()["storage_manager"]["l1_managers"]["_default"])

    def expect_alive(self, after: str) -> None:
        """The old connection and a new one are answered."""
        expect(self.client.answers(), f"the old connection is not answered after {after}")
        with self.connect() as other:
            expect(other.answers(), f"a new connection is not answered after {after}")

    def lookup(self, key: dict[str, Any]) -> int:
        """The hit in chunks of a lookup by a scheduler."""
        time.sleep(self.delay)
        scheduler_key = {**key, "worker_id": None}
        reply = self.call("lookup", scheduler_key, 1)
        expect(reply.refusal is None and reply.value_frame is None, f"lookup answered {reply}")
        for _ in range(200):
            found = self.call("query_prefetch_status", key["request_id"]).value
            if found is not None:
                return int(found)
        raise RuntimeError("the lookup never ended")

    @contextlib.contextmanager
    def engine_driven(self, **changes: Any) -> Iterator[tuple[int, dict[str, Any]]]:
        """An instance that moves the bytes itself, and the server's answer to its registration."""
        instance = fresh_number()
        reply = self.call("register_kv_cache_engine_driven_context", engine_driven_registration(instance, **changes))
        expect(isinstance(reply.value, dict), f"the registration was answered with {reply}")
        try:
            yield instance, reply.value
        finally:
            self.call("unregister_kv_cache_engine_driven_context", instance)

    @contextlib.contextmanager
    def server_driven(self, model: str = MODEL) -> Iterator[tuple[int, list[Segment]]]:
        """An instance with two layers in shared memory of its own, whose bytes the server moves."""
        instance, segments = fresh_number(), [Segment(LAYER_BYTES), Segment(LAYER_BYTES)]
        try:
            layers = [layer(segment.name) for segment in segments]
            reply = self.call("register_kv_cache", *registration(instance, layers, model))
            expect(reply.refusal is None and reply.value_frame is None, f"the registration was answered with {reply}")
            try:
                yield instance, segments
            finally:
                self.call("unregister_kv_cache", instance)
        finally:
            for segment in segments:
                segment.remove()
