# lmcache · SPDX-License-Identifier: Apache-2.0
"""Results that are not there yet."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from lmcache.v1.multiprocess.streams import MessagingStream
from lmcache.wire.errors import RequestTimeoutError

__all__ = ["DeviceMessagingFuture", "MessagingFuture", "MessagingStream"]

T = TypeVar("T")


class MessagingFuture(Generic[T]):
    """The result of one request. Completed once; later completions are ignored. Usable from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_done = False
        self._event: threading.Event | None = None
        self._value: Any = None
        self._error: BaseException | None = None
        self._references: list[Any] | None = None
        self._callbacks: list[Callable[[MessagingFuture[T]], None]] | None = None

    def query(self) -> bool:
        """Whether it is completed; never waits."""
        return self._is_done

    def wait(self, timeout: float | None = None) -> bool:
        """Waits for completion up to `timeout` seconds; returns whether it is completed."""
        with self._lock:
            if self._is_done:
                return True
            if self._event is None:
                self._event = threading.Event()
            event = self._event
        return event.wait(timeout)

    def result(self, timeout: float | None = None) -> T:
        """The value, after waiting up to `timeout` seconds; raises what went wrong, or `RequestTimeoutError`."""
        if not self.wait(timeout):
            raise RequestTimeoutError(f"no answer within {timeout} s")
        if self._error is not None:
            raise self._error
        value: T = self._value
        return value

    def wait_on_stream(self, stream: Any, timeout: float | None = None) -> T:
        """The value; a result without a device event leaves nothing for the stream to wait for."""
        del stream
        return self.result(timeout)

    def set_result(self, value: T) -> None:
        """Completes it with a value."""
        self._complete(value, None)

    def set_exception(self, error: BaseException) -> None:
        """Completes it with an error."""
        self._complete(None, error)

    def exception(self) -> BaseException | None:
        """The error of a completed future; none for a value or while there is nothing yet."""
        return self._error

    def add_done_callback(self, callback: Callable[[MessagingFuture[T]], None]) -> None:
        """Calls `callback` once it is completed, on the completing thread, or at once when it already is."""
        with self._lock:
            if not self._is_done:
                if self._callbacks is None:
                    self._callbacks = []
                self._callbacks.append(callback)
                return
        callback(self)

    def retain_reference(self, value: Any) -> None:
        """Keeps `value` alive until completion."""
        with self._lock:
            if not self._is_done:
                if self._references is None:
                    self._references = []
                self._references.append(value)

    def release_references(self) -> None:
        """Lets go of what `retain_reference` kept."""
        with self._lock:
            self._references = None

    def to_device_future(self, device: Any = None, event_backend: Any = None) -> DeviceMessagingFuture[Any]:
        """This future as one whose payload is `(event handle, value)`."""
        return DeviceMessagingFuture(self, device, event_backend)

    def to_cuda_future(self, device: Any = None) -> DeviceMessagingFuture[Any]:
        """The old name of `to_device_future`."""
        return self.to_device_future(device)

    def _complete(self, value: Any, error: BaseException | None) -> None:
        with self._lock:
            if self._is_done:
                return
            self._value, self._error, self._is_done = value, error, True
            callbacks, self._callbacks = self._callbacks, None
            self._references = None
            if self._event is not None:
                self._event.set()
        for callback in callbacks or ():
            callback(self)


class DeviceMessagingFuture(Generic[T]):
    """A future over `(event handle, value)`: done when the answer is there and the imported event has fired.

    `event_backend` opens a handle with `import_event(handle, device)` and gives an object with `query()`,
    `synchronize()` and `wait(stream)`. An empty handle, or no backend, means that there is nothing to wait for.
    """

    def __init__(self, future: MessagingFuture[Any], device: Any = None, event_backend: Any = None) -> None:
        self._future = future
        self._device = device
        self._backend = event_backend
        self._event: Any = None
        self._is_imported = False

    def _imported(self) -> Any:
        if not self._is_imported:
            handle, _ = self._future.result(0)
            if handle and self._backend is not None:
                self._event = self._backend.import_event(handle, self._device)
            self._is_imported = True
        return self._event

    def query(self) -> bool:
        """Whether both the answer and the event are there."""
        if not self._future.query():
            return False
        if self._future.exception() is not None:
            return True
        event = self._imported()
        return event is None or bool(event.query())

    def wait(self, timeout: float | None = None) -> bool:
        """Waits for the answer, then for the event; returns whether the answer came in time."""
        if not self._future.wait(timeout):
            return False
        if self._future.exception() is None:
            event = self._imported()
            if event is not None:
                event.synchronize()
        return True

    def result(self, timeout: float | None = None) -> T:
        """The value after both."""
        if not self.wait(timeout):
            raise RequestTimeoutError(f"no answer within {timeout} s")
        value: T = self._future.result(0)[1]
        return value

    def is_complete(self) -> bool:
        """Whether the answer is there and leaves no event to wait for; never touches the device."""
        return self._future.query() and self._future.exception() is None and not self._future.result(0)[0]

    def add_done_callback(self, callback: Callable[[MessagingFuture[Any]], None]) -> None:
        """Calls `callback` once the answer is there, whatever its event says."""
        self._future.add_done_callback(callback)

    def wait_on_stream(self, stream: Any, timeout: float | None = None) -> T:
        """The value once the answer is there; the stream, not the host, waits for the event."""
        value: T = self._future.result(timeout)[1]
        event = self._imported()
        if event is not None:
            event.wait(stream)
        return value

    def exception(self) -> BaseException | None:
        """The error of the answer."""
        return self._future.exception()

    def retain_reference(self, value: Any) -> None:
        """Keeps `value` alive until the answer."""
        self._future.retain_reference(value)

    def release_references(self) -> None:
        """Lets go of what `retain_reference` kept."""
        self._future.release_references()
