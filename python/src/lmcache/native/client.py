# lmcache · SPDX-License-Identifier: Apache-2.0
"""Requests by function call, with the interface of `lmcache.wire.client.WireClient`."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lmcache.v1.multiprocess.futures import MessagingFuture
from lmcache.wire.errors import ConnectionLostError

if TYPE_CHECKING:
    from lmcache.native.embedded import EmbeddedServer


class EmbeddedClient:
    """The direct door of an `EmbeddedServer`, for code that was written for a `WireClient`.

    Requests run on the calling thread, so most futures are complete when `submit` returns; stores and loads complete
    on the server's reply thread. Every future ends by its deadline, with a value or an error, and with
    `ConnectionLostError` when the server is closed. There is one connection from the beginning to the end: `generation`
    is 1 and `is_connected` true until then.
    """

    def __init__(self, server: EmbeddedServer, default_timeout: float = 300.0) -> None:
        self.url = f"direct to {server.url or 'the cache in this process'}"
        self.default_timeout = default_timeout
        self._server = server
        self._is_closed = False

    @property
    def generation(self) -> int:
        """Always the first connection."""
        return 1

    @property
    def is_connected(self) -> bool:
        """Whether requests can be served."""
        return not self._is_closed and not self._server.is_closed

    def on_connection_lost(self, callback: Callable[[], None]) -> None:
        """Calls `callback` when the server is closed under this client."""
        self._server.on_close(callback)

    def submit(
        self,
        operation: str,
        *payloads: Any,
        timeout: float | None = None,
        generation: int | None = None,
    ) -> MessagingFuture[Any]:
        """Runs a request. The future ends by `timeout` seconds from now. Raises nothing."""
        future: MessagingFuture[Any] = MessagingFuture()
        if self._is_closed:
            future.set_exception(ConnectionLostError("the client is closed"))
        elif generation not in (None, 1):
            future.set_exception(ConnectionLostError(f"{self.url} has no connection {generation}"))
        else:
            deadline = time.monotonic() + (self.default_timeout if timeout is None else timeout)
            self._server.submit(operation, payloads, future, deadline)
        return future

    def call(
        self,
        operation: str,
        *payloads: Any,
        timeout: float | None = None,
        generation: int | None = None,
    ) -> Any:
        """Runs a request and waits for its result."""
        return self.submit(operation, *payloads, timeout=timeout, generation=generation).result()

    def reset(self) -> None:
        """There is no connection that could be made anew; what is pending is answered or ends by its deadline."""

    def close(self, timeout: float = 2.0) -> None:
        """Accepts no more requests from this client. The server goes on."""
        del timeout
        self._is_closed = True
