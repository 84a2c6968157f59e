# lmcache · SPDX-License-Identifier: Apache-2.0
"""Streams of one request: credit, endings, deadlines."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import zmq
from waiting import eventually

from lmcache.v1.multiprocess.streams import MessagingStream
from lmcache.wire.client import WireClient
from lmcache.wire.errors import ConnectionLostError, MalformedReplyError, RequestTimeoutError


def test_items_come_in_order_and_credit_is_given_for_the_next_one() -> None:
    stream: MessagingStream[int] = MessagingStream()
    credits: list[None] = []
    stream.on_credit = lambda: credits.append(None)
    stream.set_result(1)
    assert stream.next(1) == 1 and credits == []
    with pytest.raises(RequestTimeoutError):
        stream.next(0.01)
    stream.set_result(2)
    assert stream.next(1) == 2 and len(credits) == 1
    stream.close()
    assert list(stream) == [] and len(credits) == 1


def test_item_without_credit_ends_it() -> None:
    stream: MessagingStream[int] = MessagingStream()
    stream.set_result(1)
    stream.set_result(2)
    assert stream.next(0) == 1
    with pytest.raises(MalformedReplyError):
        stream.next(0)


def test_end_of_the_other_side_comes_behind_the_items() -> None:
    stream: MessagingStream[int] = MessagingStream()
    ended: list[None] = []
    stream.add_close_callback(lambda: ended.append(None))
    stream.set_result(1)
    stream.end()
    stream.end()
    assert stream.next(0) == 1 and len(ended) == 1
    with pytest.raises(ConnectionLostError):
        stream.next(0)
    stream.add_close_callback(lambda: ended.append(None))
    assert len(ended) == 2


def test_close_wakes_the_consumer() -> None:
    stream: MessagingStream[int] = MessagingStream()
    seen: list[list[int]] = []
    thread = threading.Thread(target=lambda: seen.append(list(stream)))
    thread.start()
    stream.close()
    thread.join(5)
    assert seen == [[]]


class StreamServer:
    """A ROUTER that shows what came and sends what it is told, from the test's thread."""

    def __init__(self) -> None:
        self._context = zmq.Context()
        self.socket = self._context.socket(zmq.ROUTER)
        port = self.socket.bind_to_random_port("tcp://127.0.0.1")
        self.url = f"tcp://127.0.0.1:{port}"

    def receive(self) -> list[bytes]:
        assert self.socket.poll(5000), "nothing came"
        return self.socket.recv_multipart()

    def send(self, head: list[bytes], *values: Any) -> None:
        self.socket.send_multipart([*head, *(msgspec.msgpack.encode(value) for value in values)])

    def close(self) -> None:
        self._context.destroy(linger=0)


@pytest.fixture
def server() -> Iterator[StreamServer]:
    server = StreamServer()
    yield server
    server.close()


@pytest.fixture
def client(server: StreamServer) -> Iterator[WireClient]:
    client = WireClient(server.url, default_timeout=5)
    yield client
    client.close()


BATCH = {"enabled": True, "incarnation": 1, "next_cursor": 2, "lost": False, "events": []}


def test_stream_over_the_wire(server: StreamServer, client: WireClient) -> None:
    stream = client.subscribe("subscribe_kv_events", 7, "m", 0, 16)
    head = server.receive()[:3]
    server.send(head, BATCH)
    assert stream.next(5).next_cursor == 2
    with pytest.raises(RequestTimeoutError):
        stream.next(0.01)
    assert server.receive() == [head[0], head[1], b"", b"ack"]
    server.send(head, {**BATCH, "next_cursor": 3})
    assert stream.next(5).next_cursor == 3
    stream.close()
    assert server.receive() == [head[0], head[1], b"", b"cancel"]
    # The end after a cancel, and anything else for it, is ignored.
    server.send(head)
    future = client.submit("noop")
    noop = server.receive()[:3]
    server.send(noop, "OK")
    assert future.result(5) == "OK"


def test_server_ends_a_stream(server: StreamServer, client: WireClient) -> None:
    stream = client.subscribe("subscribe_kv_events", 7, "m", 0, 16)
    head = server.receive()[:3]
    server.send(head, BATCH)
    stream.next(5)
    server.send(head)
    with pytest.raises(ConnectionLostError):
        stream.next(5)


def test_first_item_has_a_deadline_and_the_others_have_none(server: StreamServer, client: WireClient) -> None:
    late = client.subscribe("subscribe_kv_events", 7, "m", 0, 16, timeout=0.05)
    with pytest.raises(RequestTimeoutError, match="subscribe_kv_events"):
        late.next(5)
    server.receive()
    stream = client.subscribe("subscribe_kv_events", 7, "m", 0, 16, timeout=0.2)
    head = server.receive()
    while head[-1] == b"cancel":
        head = server.receive()
    server.send(head[:3], BATCH)
    stream.next(5)
    with pytest.raises(RequestTimeoutError, match="nothing came"):
        stream.next(0.3)


def test_lost_connection_ends_a_stream(server: StreamServer, client: WireClient) -> None:
    stream = client.subscribe("subscribe_kv_events", 7, "m", 0, 16)
    server.send(server.receive()[:3], BATCH)
    stream.next(5)
    server.close()
    with pytest.raises(ConnectionLostError):
        stream.next(5)
    assert eventually(lambda: not client.is_connected) is None


def test_refused_subscription_ends_at_once(server: StreamServer, client: WireClient) -> None:
    stream = client.subscribe("subscribe_kv_events", 7, "m", 0, 16)
    head = server.receive()
    server.socket.send_multipart([head[0], head[1], msgspec.msgpack.encode("error: no")])
    with pytest.raises(ValueError, match="refused"):
        stream.next(5)
