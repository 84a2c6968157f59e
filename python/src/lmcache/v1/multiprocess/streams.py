# lmcache · SPDX-License-Identifier: Apache-2.0
"""Results that keep coming."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

from lmcache.wire.errors import ConnectionLostError, MalformedReplyError, RequestTimeoutError

T = TypeVar("T")


class MessagingStream(Generic[T]):
    """What one request is answered with over time, one item at a time.

    The peer may send the next item only after the last one was taken and another is asked for (`on_credit`). An item
    without credit ends the stream. Taken by one thread; fed and closed from any.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._item: Any = None
        self._has_item = False
        self._has_taken = False
        self._error: BaseException | None = None
        self._is_closed = False
        self._callbacks: list[Callable[[], None]] = []
        self.on_credit: Callable[[], None] | None = None
        """Called, without a lock, when another item is wanted."""

    def set_result(self, value: T) -> None:
        """Feeds one item."""
        with self._changed:
            if self._is_closed:
                return
            is_uninvited = self._has_item
            if not is_uninvited:
                self._item, self._has_item = value, True
                self._changed.notify_all()
        if is_uninvited:
            self.set_exception(MalformedReplyError("an item came before it was asked for"))

    def set_exception(self, error: BaseException) -> None:
        """Ends it with an error, behind what was fed."""
        self._finish(error)

    def end(self) -> None:
        """The peer has ended it."""
        self._finish(ConnectionLostError("the server ended the stream"))

    def close(self) -> None:
        """Ends it from this side. May be called more than once."""
        self._finish(None)

    def add_close_callback(self, callback: Callable[[], None]) -> None:
        """Calls `callback` once it has ended, or at once when it has."""
        with self._changed:
            if not self._is_closed:
                self._callbacks.append(callback)
                return
        callback()

    def next(self, timeout: float | None = None) -> T:
        """The next item, after waiting up to `timeout` seconds.

        Raises `StopIteration` after `close`, what ended the stream, or `RequestTimeoutError`; the wait may be resumed.
        """
        with self._changed:
            wants_credit = self._has_taken and not self._is_closed
            self._has_taken = False
        if wants_credit and self.on_credit is not None:
            self.on_credit()
        with self._changed:
            if not self._changed.wait_for(lambda: self._has_item or self._is_closed, timeout):
                raise RequestTimeoutError(f"nothing came within {timeout} s")
            if self._has_item:
                item: T = self._item
                self._item, self._has_item, self._has_taken = None, False, True
                return item
            if self._error is not None:
                raise self._error
            raise StopIteration

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        return self.next()

    def _finish(self, error: BaseException | None) -> None:
        with self._changed:
            if self._is_closed:
                return
            self._is_closed, self._error = True, error
            if error is None:
                self._item, self._has_item = None, False
            callbacks, self._callbacks = self._callbacks, []
            self._changed.notify_all()
        for callback in callbacks:
            callback()
