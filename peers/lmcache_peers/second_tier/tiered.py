# lmcache · SPDX-License-Identifier: Apache-2.0
"""A server with a second tier, and what the cases ask of it."""

from __future__ import annotations

import contextlib
import json
import pathlib
import shutil
import time
from collections.abc import Iterator
from typing import Any

from lmcache_peers import settings
from lmcache_peers.conformance.bench import Bench
from lmcache_peers.processes import wait_for
from lmcache_peers.report import expect, expect_equal
from lmcache_peers.server import CacheServer
from lmcache_peers.wire import RawClient
from lmcache_peers.wire_values import CHUNK


class Tiered:
    """Makes servers that share one second tier."""

    def __init__(self, logs: pathlib.Path, adapter: dict[str, Any] | None) -> None:
        self._logs = logs
        self._count = 0
        self.directory = logs / "objects"
        self.adapter = adapter or {"type": "fs", "base_path": str(self.directory)}

    @property
    def has_directory(self) -> bool:
        return self.adapter.get("base_path") == str(self.directory)

    def clear(self) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)

    @contextlib.contextmanager
    def server(self, *options: str, adapters: list[dict[str, Any]] | None = None) -> Iterator[CacheServer]:
        """A running server with an empty pool; it is stopped in order."""
        self._count += 1
        server = CacheServer(
            f"server-{self._count}",
            self._logs,
            *("--l1-size-gb", "0.25", "--eviction-policy", "LRU", "--chunk-size", str(CHUNK)),
            *("--null-block-id", "-1", "--supported-transfer-mode", "auto"),
            *("--shm-name", f"peers_{settings.free_port()}", "--registration-journal", "none"),
            *(part for one in adapters or [self.adapter] for part in ("--l2-adapter", json.dumps(one))),
            *options,
        )
        server.start()
        try:
            yield server
        finally:
            expect_equal("exit status", server.stop(), 0)

    @contextlib.contextmanager
    def bench(self, *options: str, adapters: list[dict[str, Any]] | None = None) -> Iterator[Bench]:
        """A connection to such a server."""
        with self.server(*options, adapters=adapters) as server, RawClient(server.port, 10) as client:
            yield Bench(server.port, server.http_port, client, 10)


def adapters(bench: Bench) -> list[dict[str, Any]]:
    return list(bench.status()["storage_manager"]["l2_adapters"])


def wait_until_stored(bench: Bench, objects: int) -> None:
    """Waits until every tier has taken so many objects since the server's start."""

    def is_stored() -> bool:
        storage = bench.status()["storage_manager"]
        return bool(
            storage["store_controller"]["pending_keys_count"] == 0
            and all(one["stored_object_count"] >= objects for one in storage["l2_adapters"])
        )

    wait_for("stores in the second tier", 20, is_stored, pause=0.02)


def expect_empty(bench: Bench) -> None:
    """Waits until the pool holds nothing: readers end a moment after their answers."""
    for _ in range(200):
        memory = bench.memory()
        if memory["total_object_count"] == 0 and memory["memory_used_bytes"] == 0:
            return
        time.sleep(0.02)
    expect_equal("objects left in the pool", memory["total_object_count"], 0)
    expect_equal("bytes left in the pool", memory["memory_used_bytes"], 0)


def lookup(bench: Bench, key: dict[str, Any], readers: int = 1) -> int:
    """The hit in chunks; the answer is waited for, once and on the server's side."""
    reply = bench.call("lookup", {**key, "worker_id": None}, readers)
    expect(reply.refusal is None and reply.value_frame is None, f"lookup answered {reply}")
    found = bench.call("wait_prefetch_status", key["request_id"], 8.0).value
    expect(found is not None, "the lookup was not answered by its deadline")
    return int(found)


def poll(bench: Bench, key: dict[str, Any]) -> tuple[int, int]:
    """The hit in chunks as vLLM asks for it, and how often the answer was that there is none yet."""
    bench.call("lookup", {**key, "worker_id": None}, 1)
    for turn in range(100_000):
        found = bench.call("query_prefetch_status", key["request_id"]).value
        if found is not None:
            return int(found), turn
    raise RuntimeError("the lookup never ended")
