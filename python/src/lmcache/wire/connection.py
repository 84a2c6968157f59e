# lmcache · SPDX-License-Identifier: Apache-2.0
"""One ZeroMQ socket that lives for at most one connection to one server process."""

from __future__ import annotations

import enum
import struct

import zmq

CONNECT_TIMEOUT_MILLISECONDS = 5000

# pyzmq's own reader of monitor messages would import asyncio with it.
_EVENT = struct.Struct("=H")


class ConnectionState(enum.Enum):
    """How far a connection is."""

    CONNECTING = enum.auto()
    CONNECTED = enum.auto()
    ENDED = enum.auto()


class Connection:
    """A DEALER that does not reconnect.

    ZeroMQ's own reconnection would hide that the server was replaced, and would carry requests meant for the old one
    to the new one. The owner makes another `Connection` instead. Used by one thread.
    """

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], url: str) -> None:
        self.state = ConnectionState.CONNECTING
        self._socket = context.socket(zmq.DEALER)
        self._socket.linger = 0
        self._socket.setsockopt(zmq.SNDHWM, 0)
        self._socket.setsockopt(zmq.RCVHWM, 0)
        self._socket.setsockopt(zmq.CONNECT_TIMEOUT, CONNECT_TIMEOUT_MILLISECONDS)
        self._socket.setsockopt(zmq.RECONNECT_IVL, -1)
        self._monitor = self._socket.get_monitor_socket(
            zmq.EVENT_HANDSHAKE_SUCCEEDED
            | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
            | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
            | zmq.EVENT_HANDSHAKE_FAILED_AUTH
            | zmq.EVENT_CLOSED
            | zmq.EVENT_DISCONNECTED
        )
        self._socket.connect(url)

    @property
    def pollable(self) -> tuple[zmq.Socket[bytes], zmq.Socket[bytes]]:
        """What to poll for input."""
        return self._socket, self._monitor

    def update(self) -> ConnectionState:
        """Takes in what has happened to the connection."""
        while self._monitor.poll(0):
            (event,) = _EVENT.unpack_from(self._monitor.recv_multipart()[0])
            if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                if self.state is ConnectionState.CONNECTING:
                    self.state = ConnectionState.CONNECTED
            else:
                self.state = ConnectionState.ENDED
        return self.state

    def send(self, frames: list[bytes]) -> None:
        """Queues a message; never waits."""
        self._socket.send_multipart(frames, zmq.NOBLOCK, copy=True)

    def receive(self) -> list[bytes] | None:
        """The next message, none when there is none now."""
        try:
            return self._socket.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            return None

    def close(self) -> None:
        """Drops it and what it has not sent."""
        self.state = ConnectionState.ENDED
        self._socket.disable_monitor()
        self._monitor.close(linger=0)
        self._socket.close(linger=0)
