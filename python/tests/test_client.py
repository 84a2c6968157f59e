# lmcache · SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from fake_server import SILENCE, FakeServer, Refusal
from waiting import eventually

from lmcache.wire.client import WireClient
from lmcache.wire.errors import ConnectionLostError, MalformedReplyError, RefusedError, RequestTimeoutError


@pytest.fixture
def server() -> Iterator[FakeServer]:
    server = FakeServer()
    yield server
    server.stop()


@pytest.fixture
def client(server: FakeServer) -> Iterator[WireClient]:
    client = WireClient(server.url, default_timeout=5)
    yield client
    client.close()


def test_values_and_answers_without_value(client: WireClient) -> None:
    assert client.call("get_chunk_size") == 16
    assert client.call("end_session", "request") is None


def test_requests_are_numbered_from_zero(client: WireClient, server: FakeServer) -> None:
    for _ in range(3):
        client.call("ping", None)
    assert server.uids == [0, 1, 2]


def test_refusal_raises_at_once(client: WireClient, server: FakeServer) -> None:
    server.script["lookup"] = Refusal("error: no such thing")
    with pytest.raises(RefusedError, match="no such thing"):
        client.call("lookup", {}, 1, timeout=60)


def test_answer_of_the_wrong_type_raises_at_once(client: WireClient, server: FakeServer) -> None:
    server.script["query_prefetch_status"] = ["two"]
    with pytest.raises(MalformedReplyError):
        client.call("query_prefetch_status", "request", timeout=60)


def test_deadline_of_a_silent_server(client: WireClient, server: FakeServer) -> None:
    server.script["lookup"] = SILENCE
    with pytest.raises(RequestTimeoutError):
        client.call("lookup", {}, 1, timeout=0.03)
    assert client.call("get_chunk_size") == 16


def test_deadline_without_a_server() -> None:
    client = WireClient("tcp://127.0.0.1:1", default_timeout=0.03)
    with pytest.raises(RequestTimeoutError):
        client.call("get_chunk_size")
    client.close()


def test_what_was_sent_fails_when_the_server_dies(client: WireClient, server: FakeServer) -> None:
    server.script["lookup"] = SILENCE
    lost = threading.Event()
    client.on_connection_lost(lost.set)
    future = client.submit("lookup", {}, 1, timeout=60)
    eventually(lambda: server.of("lookup"))
    server.restart()
    with pytest.raises(ConnectionLostError):
        future.result(5)
    assert lost.wait(5)
    assert server.of("lookup") == [[{}, 1]]


def test_what_was_not_sent_waits_for_the_next_server(server: FakeServer) -> None:
    server.stop()
    client = WireClient(server.url, default_timeout=5)
    future = client.submit("get_chunk_size")
    server.start()
    assert future.result(5) == 16
    client.close()


def test_expired_requests_never_reach_a_late_server(server: FakeServer) -> None:
    server.stop()
    client = WireClient(server.url, default_timeout=5)
    with pytest.raises(RequestTimeoutError):
        client.call("lookup", {}, 1, timeout=0.01)
    server.start()
    assert client.call("get_chunk_size") == 16
    assert server.names() == ["get_chunk_size"]
    client.close()


def test_request_bound_to_a_connection_does_not_travel_on_another(client: WireClient, server: FakeServer) -> None:
    client.call("ping", None)
    generation = client.generation
    assert client.call("ping", None, generation=generation) is True
    server.restart()
    with pytest.raises(ConnectionLostError):
        client.call("prepare_store", {}, 1, generation=generation)
    assert not server.of("prepare_store")


def test_reset_fails_everything_and_connects_again(client: WireClient, server: FakeServer) -> None:
    server.script["lookup"] = SILENCE
    future = client.submit("lookup", {}, 1, timeout=60)
    eventually(lambda: server.of("lookup"))
    client.reset()
    with pytest.raises(ConnectionLostError):
        future.result(5)
    assert client.call("get_chunk_size") == 16


def test_close_fails_what_is_pending(client: WireClient, server: FakeServer) -> None:
    server.script["lookup"] = SILENCE
    future = client.submit("lookup", {}, 1, timeout=60)
    client.close()
    with pytest.raises(ConnectionLostError):
        future.result(5)
    with pytest.raises(ConnectionLostError):
        client.call("ping", None)


def test_request_of_an_ended_connection_does_not_wait_for_another_server(server: FakeServer) -> None:
    client = WireClient(server.url)
    client.call("noop", timeout=5)
    generation = client.generation
    server.stop()
    eventually(lambda: not client.is_connected)
    started = time.monotonic()
    with pytest.raises(ConnectionLostError):
        client.call("noop", timeout=60, generation=generation)
    assert time.monotonic() - started < 2
    client.close()
    server.start()
