# lmcache · SPDX-License-Identifier: Apache-2.0
"""How many tokens of a prompt the servers hold."""

from __future__ import annotations

from collections.abc import Sequence

from lmcache.v1.multiprocess.futures import MessagingFuture
from lmcache.wire.client import WireClient
from lmcache.wire.types import CacheKey


class ServerLookup:
    """A lookup at one server: the request, then questions for its result until there is one.

    The first question leaves as soon as the request was acknowledged; one that overtook it would be answered 0. Answers
    are taken in where they arrive, so that who asks finds a number.
    """

    __slots__ = ("_client", "_is_to_be_asked", "_request_id", "_timeout", "chunks", "error")

    def __init__(self, client: WireClient, key: CacheKey, timeout: float) -> None:
        self._client = client
        self._request_id = key.request_id
        self._timeout = timeout
        self._is_to_be_asked = False
        self.chunks: int | None = None
        self.error: BaseException | None = None
        client.submit("lookup", key, 1, timeout=timeout).add_done_callback(self._acknowledged)

    def _acknowledged(self, future: MessagingFuture[None]) -> None:
        if future.exception() is None:
            self._ask()
        else:
            self._fail(future.exception())

    def _ask(self) -> None:
        status: MessagingFuture[int | None] = self._client.submit(
            "query_prefetch_status", self._request_id, timeout=self._timeout
        )
        status.add_done_callback(self._answered)

    def _answered(self, status: MessagingFuture[int | None]) -> None:
        if status.exception() is not None:
            self._fail(status.exception())
            return
        chunks = status.result(0)
        if chunks is None:
            # Not at once, but when somebody wants to know.
            self._is_to_be_asked = True
        else:
            self.chunks = max(0, chunks)

    def _fail(self, error: BaseException | None) -> None:
        self.error = error
        self.chunks = 0

    def poll(self) -> int | None:
        """The chunks found, none while it is not known; 0 after a failure. Never waits."""
        if self._is_to_be_asked:
            self._is_to_be_asked = False
            self._ask()
        return self.chunks


class Lookup:
    """A lookup at all servers. The result is what every one of them holds.

    `is_sent` says whether a server has heard of it, or will. `parts` is empty until the lookup begins.
    """

    __slots__ = ("_most_chunks", "chunks", "is_sent", "parts")

    def __init__(self, most_chunks: int, is_sent: bool) -> None:
        self._most_chunks = most_chunks
        self.is_sent = is_sent
        self.parts: list[ServerLookup] = []
        self.chunks: int | None = None if is_sent else 0

    def begin(self, clients: Sequence[WireClient], key: CacheKey, timeout: float) -> None:
        """Asks the servers. May run on another thread than everything else, once."""
        self.parts = [ServerLookup(client, key, timeout) for client in clients]

    def poll(self) -> int | None:
        """The chunks found at every server, none while a server has not answered."""
        if self.chunks is None and (parts := self.parts):
            least = self._most_chunks
            is_known = True
            for part in parts:
                found = part.poll()
                if found is None:
                    is_known = False
                elif found < least:
                    least = found
            if is_known:
                self.chunks = least
        return self.chunks

    def give_up(self) -> None:
        """Nothing is found any more."""
        self.chunks = 0
