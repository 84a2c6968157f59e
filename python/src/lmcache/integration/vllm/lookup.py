# lmcache · SPDX-License-Identifier: Apache-2.0
"""How many tokens of a prompt the servers hold."""

from __future__ import annotations

from lmcache.v1.multiprocess.futures import MessagingFuture
from lmcache.wire.client import WireClient
from lmcache.wire.types import CacheKey


class ServerLookup:
    """A lookup at one server: the request, then questions for its result until there is one.

    The first question leaves as soon as the request was acknowledged; one that overtook it would be answered 0.
    """

    def __init__(self, client: WireClient, key: CacheKey, timeout: float) -> None:
        self._client = client
        self._request_id = key.request_id
        self._timeout = timeout
        self._status: MessagingFuture[int | None] | None = None
        self.chunks: int | None = None
        self.error: BaseException | None = None
        client.submit("lookup", key, 1, timeout=timeout).add_done_callback(self._acknowledged)

    def _acknowledged(self, future: MessagingFuture[None]) -> None:
        if future.exception() is None:
            self._ask()
        else:
            self._fail(future.exception())

    def _ask(self) -> None:
        self._status = self._client.submit("query_prefetch_status", self._request_id, timeout=self._timeout)

    def _fail(self, error: BaseException | None) -> None:
        self.error = error
        self.chunks = 0

    def poll(self) -> int | None:
        """The chunks found, none while it is not known; 0 after a failure. Never waits."""
        status = self._status
        if self.chunks is None and status is not None and status.query():
            if status.exception() is not None:
                self._fail(status.exception())
            else:
                chunks = status.result(0)
                if chunks is None:
                    self._ask()
                else:
                    self.chunks = max(0, chunks)
        return self.chunks


class Lookup:
    """A lookup at all servers. The result is what every one of them holds."""

    def __init__(self, parts: list[ServerLookup], most_chunks: int) -> None:
        self.parts = parts
        self._most_chunks = most_chunks
        self.chunks: int | None = None if parts else 0

    def poll(self) -> int | None:
        """The chunks found at every server, none while a server has not answered."""
        if self.chunks is None:
            found = [part.poll() for part in self.parts]
            known = [chunks for chunks in found if chunks is not None]
            if len(known) == len(found):
                self.chunks = min(min(known), self._most_chunks)
        return self.chunks

    def give_up(self) -> None:
        """Nothing is found any more."""
        self.chunks = 0
