# lmcache · SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fake_server import SILENCE, FakeServer
from waiting import eventually

from lmcache.health.server_health import ServerHealth
from lmcache.v1.multiprocess.futures import MessagingFuture
from lmcache.wire.client import WireClient


@pytest.fixture
def server() -> Iterator[FakeServer]:
    server = FakeServer()
    yield server
    server.stop()


@pytest.fixture
def client(server: FakeServer) -> Iterator[WireClient]:
    client = WireClient(server.url, default_timeout=5)
    client.call("get_chunk_size")
    yield client
    client.close()


def test_false_degrades_and_recovers_at_once(server: FakeServer, client: WireClient) -> None:
    server.script["ping"] = False
    calls: list[str] = []
    health = ServerHealth(client, 5, 7, lambda: calls.append("recover"), lambda: calls.append("degraded"))
    health.cycle()
    assert calls == ["degraded", "recover"]
    assert health.is_healthy
    assert server.of("ping") == [[7]]


def test_silence_degrades_and_gives_the_connection_up(server: FakeServer, client: WireClient) -> None:
    server.script["ping"] = SILENCE
    server.script["lookup"] = SILENCE
    health = ServerHealth(client, 0.03)
    future = client.submit("lookup", {}, 1, timeout=60)
    health.cycle()
    assert not health.is_healthy
    assert future.wait(5) and future.exception() is not None
    server.script["ping"] = True
    eventually(lambda: (health.cycle(), health.is_healthy)[1])
    health.stop()


def test_failing_recovery_keeps_the_server_unused(server: FakeServer, client: WireClient) -> None:
    outcomes = [RuntimeError("not yet"), None]

    def recover() -> None:
        error = outcomes.pop(0)
        if error is not None:
            raise error

    health = ServerHealth(client, 5, 7, recover)
    server.script["ping"] = False
    health.cycle()
    assert not health.is_healthy
    server.script["ping"] = True
    health.cycle()
    assert health.is_healthy


def test_stop_prevents_recovery(server: FakeServer, client: WireClient) -> None:
    calls: list[str] = []
    health = ServerHealth(client, 5, 7, lambda: calls.append("recover"))
    health.stop()
    server.script["ping"] = False
    health.cycle()
    assert calls == []


def test_stop_does_not_wait_for_a_ping(server: FakeServer, client: WireClient) -> None:
    server.script["ping"] = SILENCE
    health = ServerHealth(client, 0.01, 7)
    health._interval = 60
    health.start()
    health._wake.set()
    eventually(lambda: "ping" in server.names())
    began = time.monotonic()
    health.stop()
    assert time.monotonic() - began < 1


def test_restart_between_two_pings_is_noticed(server: FakeServer, client: WireClient) -> None:
    calls: list[str] = []
    health = ServerHealth(client, 1000, 7, lambda: calls.append("recover"), lambda: calls.append("degraded"))
    server.restart()
    eventually(lambda: "recover" in calls and health.is_healthy)
    assert calls[0] == "degraded"
    health.stop()


class VirtualWorld:
    """Time passes only while the heartbeat waits. The server is there or away by a table, and may have forgotten us."""

    def __init__(self, away: list[tuple[float, float]], forgets_at: list[float], interval: float = 10) -> None:
        self.now, self.until = 0.0, 0.0
        self.log: list[tuple[float, str]] = []
        self.is_connected = True
        self.url = "virtual"
        self._away, self._forgets_at = away, list(forgets_at)
        client: Any = self
        self.health = ServerHealth(client, interval, 7, self._recover, self._degraded, wait=self._pass)
        self._was_healthy = True

    def on_connection_lost(self, callback: Callable[[], None]) -> None:
        pass

    def reset(self) -> None:
        pass

    def submit(self, operation: str, *_: Any, timeout: float) -> MessagingFuture[bool]:
        assert operation == "ping" and timeout == 10
        future: MessagingFuture[bool] = MessagingFuture()
        is_forgotten = bool(self._forgets_at) and self.now >= self._forgets_at[0]
        if any(start <= self.now < end for start, end in self._away):
            self.now += timeout
            future.set_exception(TimeoutError())
        else:
            future.set_result(not is_forgotten)
            del self._forgets_at[: int(is_forgotten)]
        return future

    def run(self, seconds: float) -> list[tuple[float, str]]:
        self.until = seconds
        self.health._run()
        return self.log

    def _pass(self, seconds: float) -> None:
        if self.health.is_healthy and not self._was_healthy:
            self.log.append((self.now, "healthy"))
        self._was_healthy = self.health.is_healthy
        self.now += seconds
        if self.now > self.until:
            self.health._is_stopped = True

    def _recover(self) -> None:
        assert not self.health.is_healthy
        self.log.append((self.now, "registered"))

    def _degraded(self) -> None:
        self._was_healthy = False
        if not self.log or self.log[-1][1] != "degraded":
            self.log.append((self.now, "degraded"))


def test_outage_is_found_by_a_ping_and_its_end_within_a_second() -> None:
    # Pings at 10, 20, 30; that one ends at 40, then one more a second later ends at 51; then the server is back.
    assert VirtualWorld(away=[(25, 45)], forgets_at=[]).run(100) == [
        (40, "degraded"),
        (52, "registered"),
        (52, "healthy"),
    ]


def test_server_that_forgot_is_registered_with_at_once() -> None:
    assert VirtualWorld(away=[], forgets_at=[12, 33]).run(60) == [
        (20, "degraded"),
        (20, "registered"),
        (20, "healthy"),
        (40, "degraded"),
        (40, "registered"),
        (40, "healthy"),
    ]


def test_quiet_server_is_left_alone() -> None:
    assert VirtualWorld(away=[], forgets_at=[]).run(500) == []
