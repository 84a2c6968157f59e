# lmcache · SPDX-License-Identifier: Apache-2.0
"""One cache in this process."""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
import time
from collections.abc import Callable, Sequence
from ctypes import c_size_t, c_uint64, c_void_p, sizeof
from typing import Any

from lmcache.native.client import EmbeddedClient
from lmcache.native.configuration import resolve_configuration
from lmcache.native.errors import NativeError
from lmcache.native.library import Result, Usage, byref, check, last_error, load, take_bytes
from lmcache.native.messages import join_frames, split_frames
from lmcache.utils import init_logger
from lmcache.v1.multiprocess.futures import MessagingFuture
from lmcache.wire.codec import Reply, encode_request, result_of
from lmcache.wire.errors import ConnectionLostError, RequestTimeoutError
from lmcache.wire.operations import decode_operation
from lmcache.wire.requests import PendingRequest, RequestTable

logger = init_logger(__name__)

_LONGEST_WAIT = 0.1


class EmbeddedServer:
    """A cache with a door for this process (`client()`) and, when `socket_path` is given, one for others (`url`).

    Raises `ConfigurationError` for the document, `NativeError` when the memory or the socket cannot be had; the message
    is one line. `configuration` is the resolved document. Closed by `close()`, at the latest when the interpreter ends.
    After a fork the parent's server works on and the child's copy of this object is closed.
    """

    def __init__(self, document: str, socket_path: str | None = None) -> None:
        self.configuration = resolve_configuration(document)
        library = load()
        text = document.encode()
        path = None if socket_path is None else os.fsencode(socket_path)
        handle = library.lmcache_create(text, len(text), path)
        if not handle:
            raise NativeError(Result.UNAVAILABLE, last_error())
        self.socket_path = socket_path
        self._library = library
        self._handle = handle
        self._process_id = os.getpid()
        # Guards everything below; the reply thread sleeps on it while there is nothing to wait for.
        self._changed = threading.Condition()
        self._requests = RequestTable()
        self._by_ticket: dict[int, PendingRequest] = {}
        # Replies that the thread took before their request was entered.
        self._early: dict[int, bytes] = {}
        self._on_close: list[Callable[[], None]] = []
        self._is_closed = False
        self._thread = threading.Thread(target=self._take_replies, name="lmcache-replies", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    @property
    def url(self) -> str | None:
        """Where other processes reach the cache, none without a socket."""
        return None if self.socket_path is None else f"ipc://{self.socket_path}"

    @property
    def is_closed(self) -> bool:
        """Whether requests fail; also in a child process."""
        return self._is_closed or os.getpid() != self._process_id

    def client(self, default_timeout: float = 300.0) -> EmbeddedClient:
        """A client of the direct door; any number of them, usable from any thread."""
        return EmbeddedClient(self, default_timeout)

    def usage(self) -> dict[str, int]:
        """How full the cache is: `capacity_bytes`, `used_bytes`, `object_count`, `leased_object_count`, …"""
        usage = Usage(size=sizeof(Usage))
        check(self._library.lmcache_read_usage(self._handle, byref(usage)))
        return {name: getattr(usage, name) for name, *_ in Usage._fields_ if name != "size"}

    def on_close(self, callback: Callable[[], None]) -> None:
        """Calls `callback` once this server is closed."""
        self._on_close.append(callback)

    def close(self) -> None:
        """Ends the cache: what is in flight is answered, everything else fails. May be called more than once."""
        if os.getpid() != self._process_id:
            # The lock may have been held by a thread that this process does not have.
            self._is_closed = True
            return
        with self._changed:
            if self._is_closed:
                return
            self._is_closed = True
            self._changed.notify()
        atexit.unregister(self.close)
        self._library.lmcache_destroy(self._handle)
        if threading.current_thread() is not self._thread:
            self._thread.join(5.0)
        self._fail_all()
        for callback in self._on_close:
            callback()

    def submit(self, operation: str, payloads: Sequence[Any], future: MessagingFuture[Any], deadline: float) -> None:
        """Runs a request for a client; the future gets the result or an error."""
        try:
            message = join_frames(encode_request(0, operation, payloads)[1:])
        except Exception as error:
            future.set_exception(ValueError(f"{operation} cannot be encoded: {error}"))
            return
        if self.is_closed:
            future.set_exception(ConnectionLostError("the server in this process is closed"))
            return
        ticket = self._library.lmcache_submit(self._handle, message, len(message))
        if ticket == 0:
            future.set_exception(ConnectionLostError(f"{operation} was not accepted: {last_error()}"))
            return
        # Most requests are answered by now.
        reply = self._take(ticket)
        if reply is None:
            reply = self._enter(ticket, operation, future, deadline)
        if reply is not None:
            _complete(operation, future, reply)

    def _enter(self, ticket: int, operation: str, future: MessagingFuture[Any], deadline: float) -> bytes | None:
        """Leaves a request to the reply thread, unless that has its reply already."""
        with self._changed:
            early = self._early.pop(ticket, None)
            if early is None:
                self._by_ticket[ticket] = self._requests.add(operation, (), future, deadline)
                self._requests.take_unsent(1)
                self._changed.notify()
            return early

    def _take(self, ticket: int) -> bytes | None:
        """The reply of a ticket if it is there and nobody took it."""
        pointer, length = c_void_p(), c_size_t()
        result = self._library.lmcache_take(self._handle, ticket, 0, byref(pointer), byref(length))
        return take_bytes(pointer, length) if result == Result.OK else None

    # The reply thread

    def _take_replies(self) -> None:
        ticket, pointer, length = c_uint64(), c_void_p(), c_size_t()
        while (wait := self._next_wait()) is not None:
            milliseconds = max(1, int(wait * 1000))
            result = self._library.lmcache_take_any(
                self._handle, milliseconds, byref(ticket), byref(pointer), byref(length)
            )
            if result == Result.OK:
                self._received(ticket.value, take_bytes(pointer, length))
            elif result != Result.TIMED_OUT:
                break
            self._expire()
        self._fail_all()

    def _next_wait(self) -> float | None:
        """Seconds until a deadline may have passed; sleeps while nothing is pending. None at the end."""
        with self._changed:
            while not self._by_ticket and not self._is_closed:
                self._changed.wait()
            if self._is_closed:
                return None
            deadline = self._requests.next_deadline()
        return _LONGEST_WAIT if deadline is None else min(_LONGEST_WAIT, max(0.0, deadline - time.monotonic()))

    def _received(self, ticket: int, reply: bytes) -> None:
        with self._changed:
            request = self._by_ticket.pop(ticket, None)
            if request is None:
                self._early[ticket] = reply
                return
            if self._requests.take(request.uid) is None:
                return
        _complete(request.operation, request.future, reply)

    def _expire(self) -> None:
        with self._changed:
            expired = self._requests.take_expired(time.monotonic())
        for request in expired:
            request.future.set_exception(RequestTimeoutError(f"no answer to {request.operation} in time"))

    def _fail_all(self) -> None:
        with self._changed:
            requests = self._requests.take_all()
            self._by_ticket.clear()
            self._early.clear()
        for request in requests:
            request.future.set_exception(ConnectionLostError("the server in this process is closed"))

    def __enter__(self) -> EmbeddedServer:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(NativeError):
            self.close()


def _complete(operation: str, future: MessagingFuture[Any], reply: bytes) -> None:
    try:
        name, *values = split_frames(reply)
        value = result_of(Reply(0, decode_operation(name), values[0] if values else None), operation)
    except ValueError as error:
        future.set_exception(error)
    else:
        future.set_result(value)
