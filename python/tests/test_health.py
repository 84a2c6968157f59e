# lmcache · SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Iterator

import pytest
from fake_server import SILENCE, FakeServer
from waiting import eventually

from lmcache.health.server_health import ServerHealth
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


def test_restart_between_two_pings_is_noticed(server: FakeServer, client: WireClient) -> None:
    calls: list[str] = []
    health = ServerHealth(client, 1000, 7, lambda: calls.append("recover"), lambda: calls.append("degraded"))
    server.restart()
    eventually(lambda: "recover" in calls and health.is_healthy)
    assert calls[0] == "degraded"
    health.stop()
