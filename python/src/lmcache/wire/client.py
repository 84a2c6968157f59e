# lmcache · SPDX-License-Identifier: Apache-2.0
"""Requests to one server over one connection at a time."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from typing import Any

import zmq

from lmcache.utils import init_logger
from lmcache.v1.multiprocess.futures import MessagingFuture
from lmcache.v1.multiprocess.streams import MessagingStream
from lmcache.wire.codec import encode_control, encode_request, result_of, split_reply
from lmcache.wire.connection import Connection, ConnectionState
from lmcache.wire.errors import ConnectionLostError, RequestTimeoutError
from lmcache.wire.requests import PendingRequest, RequestTable

logger = init_logger(__name__)

SHORTEST_PAUSE = 0.05
LONGEST_PAUSE = 1.0
_LONGEST_POLL = 1.0


class WireClient:
    """One I/O thread that owns the socket; every request ends by its deadline, with a value or an error.

    When the connection ends, all requests that were sent fail at once with `ConnectionLostError`: nobody will answer
    them. Requests that were not sent yet wait for the next connection, up to their deadline. `generation` counts the
    connections; a request that names one travels on that one or fails at once.
    """

    def __init__(self, url: str, context: zmq.Context[Any] | None = None, default_timeout: float = 300.0) -> None:
        self.url = url
        self.default_timeout = default_timeout
        self._context = context or zmq.Context.instance()
        self._lock = threading.Lock()
        self._requests = RequestTable()
        self._generation = 0
        self._is_connected = False
        self._is_closed = False
        self._is_reset_wanted = False
        self._on_lost: list[Callable[[], None]] = []
        self._controls: list[tuple[int, int, bytes]] = []
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._is_woken = False
        self._thread = threading.Thread(target=self._run, name=f"lmcache-{url}", daemon=True)
        self._thread.start()

    @property
    def generation(self) -> int:
        """The number of the current connection, or of the last one; 0 before the first."""
        return self._generation

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection."""
        return self._is_connected

    @property
    def is_closed(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._is_closed

    def on_connection_lost(self, callback: Callable[[], None]) -> None:
        """Calls `callback` on the I/O thread whenever an established connection ends. It must not wait."""
        self._on_lost.append(callback)

    def submit(
        self,
        operation: str,
        *payloads: Any,
        timeout: float | None = None,
        generation: int | None = None,
    ) -> MessagingFuture[Any]:
        """Sends a request without waiting. The future ends by `timeout` seconds from now."""
        future: MessagingFuture[Any] = MessagingFuture()
        self._add(operation, payloads, future, timeout, generation)
        return future

    def subscribe(self, operation: str, *payloads: Any, timeout: float | None = None) -> MessagingStream[Any]:
        """Opens a stream without waiting. Its first item comes by `timeout` seconds from now, or it fails.

        It ends with the connection; the consumer opens another one.
        """
        stream: MessagingStream[Any] = MessagingStream()
        request = self._add(operation, payloads, stream, timeout, None)
        if request is not None:
            stream.on_credit = lambda: self._control(request, b"ack")
            stream.add_close_callback(lambda: self._cancel(request))
        return stream

    def call(
        self,
        operation: str,
        *payloads: Any,
        timeout: float | None = None,
        generation: int | None = None,
    ) -> Any:
        """Sends a request and waits for its result."""
        return self.submit(operation, *payloads, timeout=timeout, generation=generation).result()

    def reset(self) -> None:
        """Gives the connection up: everything pending fails, and a new connection is made."""
        with self._lock:
            self._is_reset_wanted = True
            requests = self._requests.take_all()
        _fail(requests, ConnectionLostError(f"the connection to {self.url} was given up"))
        self._wake()

    def close(self, timeout: float = 2.0) -> None:
        """Fails what is pending and ends the thread. May be called more than once."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            requests = self._requests.take_all()
        _fail(requests, ConnectionLostError("the client is closed"))
        self._wake()
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout)

    def _add(
        self,
        operation: str,
        payloads: tuple[Any, ...],
        future: MessagingFuture[Any] | MessagingStream[Any],
        timeout: float | None,
        generation: int | None,
    ) -> PendingRequest | None:
        deadline = time.monotonic() + (self.default_timeout if timeout is None else timeout)
        request, why = None, "the client is closed"
        with self._lock:
            # 0 is named before there ever was a connection.
            is_gone = generation not in (None, 0) and not (self._is_connected and generation == self._generation)
            if is_gone:
                why = f"the connection to {self.url} ended"
            elif not self._is_closed:
                request = self._requests.add(operation, payloads, future, deadline, generation)
        if request is None:
            future.set_exception(ConnectionLostError(why))
        else:
            self._wake()
        return request

    def _control(self, request: PendingRequest, word: bytes) -> None:
        with self._lock:
            if request.is_sent and not self._is_closed:
                self._controls.append((request.uid, self._generation, word))
        self._wake()

    def _cancel(self, request: PendingRequest) -> None:
        with self._lock:
            was_pending = self._requests.take(request.uid) is not None
        if was_pending:
            self._control(request, b"cancel")

    def _wake(self) -> None:
        """Wakes the I/O thread, unless somebody has and it did not look yet."""
        if self._is_woken:
            return
        with self._lock:
            if self._wake_write >= 0:
                self._is_woken = True
                with contextlib.suppress(BlockingIOError):  # A full pipe wakes as well.
                    os.write(self._wake_write, b"\0")

    # The I/O thread

    def _run(self) -> None:
        connection: Connection | None = None
        poller = self._poller(None)
        pause = SHORTEST_PAUSE
        retry_at = 0.0
        try:
            while not self._is_closed:
                now = time.monotonic()
                if connection is None and now >= retry_at:
                    connection = Connection(self._context, self.url)
                    poller = self._poller(connection)
                self._expire(now)
                self._poll(poller, retry_at if connection is None else None)
                if connection is None:
                    continue
                was_connected = self._is_connected
                if self._serve(connection):
                    pause = SHORTEST_PAUSE if self._is_connected else pause
                    continue
                connection.close()
                connection, poller = None, self._poller(None)
                self._lose(was_connected or self._is_connected)
                retry_at = time.monotonic() + pause
                pause = min(2 * pause, LONGEST_PAUSE)
        except zmq.ZMQError as error:
            # The context was terminated by its owner: nothing can be sent any more.
            logger.debug("the connection to %s ended: %s", self.url, error)
        finally:
            self._is_closed = True
            self._is_connected = False
            if connection is not None:
                connection.close()
            with self._lock:
                requests = self._requests.take_all()
                os.close(self._wake_read)
                os.close(self._wake_write)
                self._wake_read = self._wake_write = -1
            _fail(requests, ConnectionLostError("the client is closed"))

    def _poll(self, poller: zmq.Poller, is_connecting_at: float | None) -> None:
        """Waits for input, for a caller, for a deadline or for the time of the next connection."""
        now = time.monotonic()
        with self._lock:
            deadline = self._requests.next_deadline()
        wait = _LONGEST_POLL if deadline is None else min(_LONGEST_POLL, deadline - now)
        if is_connecting_at is not None:
            wait = min(wait, is_connecting_at - now)
        poller.poll(max(0, int(wait * 1000) + 1))
        if self._is_woken:
            # Both at once: a byte that is read without this would let nobody write another one.
            with self._lock, contextlib.suppress(BlockingIOError):
                self._is_woken = False
                os.read(self._wake_read, 64)

    def _poller(self, connection: Connection | None) -> zmq.Poller:
        poller = zmq.Poller()
        poller.register(self._wake_read, zmq.POLLIN)
        for socket in () if connection is None else connection.pollable:
            poller.register(socket, zmq.POLLIN)
        return poller

    def _serve(self, connection: Connection) -> bool:
        """Receives and sends what there is; returns whether the connection goes on."""
        while (frames := connection.receive()) is not None:
            # An answer received after the end of the connection would belong to it all the same: a socket never has
            # two of them.
            self._receive(frames)
        state = connection.update()
        with self._lock:
            is_reset, self._is_reset_wanted = self._is_reset_wanted, False
        if state is ConnectionState.ENDED or (is_reset and self._is_connected):
            return False
        if state is ConnectionState.CONNECTED:
            if not self._is_connected:
                self._generation += 1
                self._is_connected = True
            self._flush(connection)
        return True

    def _flush(self, connection: Connection) -> None:
        with self._lock:
            sendable, stale = self._requests.take_unsent(self._generation)
        _fail(stale, ConnectionLostError(f"the connection to {self.url} is another one by now"))
        for request in sendable:
            try:
                frames = encode_request(request.uid, request.operation, request.payloads)
            except Exception as error:
                with self._lock:
                    self._requests.take(request.uid)
                request.future.set_exception(ValueError(f"{request.operation} cannot be encoded: {error}"))
                continue
            request.payloads = ()
            connection.send(frames)
        with self._lock:
            controls, self._controls = self._controls, []
        for uid, generation, word in controls:
            if generation == self._generation:
                connection.send(encode_control(uid, word))

    def _receive(self, frames: list[bytes]) -> None:
        reply = split_reply(frames)
        if reply is None:
            return
        with self._lock:
            request = self._requests.take(reply.uid, is_last=reply.value is None)
        if request is None:
            return
        try:
            value = result_of(reply, request.operation)
        except ValueError as error:
            request.future.set_exception(error)
            return
        if isinstance(request.future, MessagingStream) and reply.value is None:
            request.future.end()
        else:
            request.future.set_result(value)

    def _expire(self, now: float) -> None:
        with self._lock:
            expired = self._requests.take_expired(now)
        for request in expired:
            request.future.set_exception(RequestTimeoutError(f"no answer to {request.operation} from {self.url}"))

    def _lose(self, was_connected: bool) -> None:
        self._is_connected = False
        with self._lock:
            requests = self._requests.take_lost()
        _fail(requests, ConnectionLostError(f"the connection to {self.url} ended"))
        if was_connected:
            for callback in self._on_lost:
                callback()


def _fail(requests: list[PendingRequest], error: Exception) -> None:
    for request in requests:
        request.future.set_exception(error)
