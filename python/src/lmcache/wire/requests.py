# lmcache · SPDX-License-Identifier: Apache-2.0
"""Which requests wait for a connection, which for an answer, and until when. No socket, no clock, no lock."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lmcache.v1.multiprocess.futures import MessagingFuture
from lmcache.v1.multiprocess.streams import MessagingStream


@dataclass(slots=True)
class PendingRequest:
    """One request. `generation` is the only connection it may travel on, none for whichever comes.

    The deadline of a stream is that of its first item.
    """

    uid: int
    operation: str
    payloads: Sequence[Any]
    future: MessagingFuture[Any] | MessagingStream[Any]
    deadline: float
    generation: int | None = None
    is_sent: bool = False
    is_streaming: bool = False


class RequestTable:
    """The requests of one client, numbered from 0 over its whole life."""

    def __init__(self) -> None:
        self._next_uid = 0
        self._pending: dict[int, PendingRequest] = {}
        self._unsent: deque[PendingRequest] = deque()
        self._deadlines: list[tuple[float, int]] = []

    def __len__(self) -> int:
        return len(self._pending)

    def add(
        self,
        operation: str,
        payloads: Sequence[Any],
        future: MessagingFuture[Any] | MessagingStream[Any],
        deadline: float,
        generation: int | None = None,
    ) -> PendingRequest:
        """Queues a request."""
        request = PendingRequest(self._next_uid, operation, payloads, future, deadline, generation)
        self._next_uid += 1
        self._pending[request.uid] = request
        self._unsent.append(request)
        heapq.heappush(self._deadlines, (deadline, request.uid))
        return request

    def take_unsent(self, generation: int) -> tuple[list[PendingRequest], list[PendingRequest]]:
        """What to send on the connection, and what may not travel on it; the latter is forgotten."""
        sendable: list[PendingRequest] = []
        stale: list[PendingRequest] = []
        while self._unsent:
            request = self._unsent.popleft()
            if request.uid not in self._pending:
                continue
            if request.generation not in (None, generation):
                stale.append(self._pending.pop(request.uid))
                continue
            request.is_sent = True
            sendable.append(request)
        return sendable, stale

    def take(self, uid: int, is_last: bool = True) -> PendingRequest | None:
        """The request that an answer belongs to; a stream stays until its last message."""
        request = self._pending.get(uid)
        if request is None:
            return None
        if isinstance(request.future, MessagingStream) and not is_last:
            request.is_streaming = True
        else:
            del self._pending[uid]
        return request

    def take_lost(self) -> list[PendingRequest]:
        """All that the connection which has ended was for: those that wait for an answer, and those that name it."""
        bound = [
            uid for uid, request in self._pending.items() if request.is_sent or request.generation not in (None, 0)
        ]
        return [self._pending.pop(uid) for uid in bound]

    def take_all(self) -> list[PendingRequest]:
        """Everything."""
        requests = list(self._pending.values())
        self._pending.clear()
        self._unsent.clear()
        self._deadlines.clear()
        return requests

    def take_expired(self, now: float) -> list[PendingRequest]:
        """Those whose deadline has passed."""
        expired = []
        while self._deadlines and self._deadlines[0][0] <= now:
            uid = heapq.heappop(self._deadlines)[1]
            request = self._pending.get(uid)
            if request is not None and not request.is_streaming:
                expired.append(self._pending.pop(uid))
        return expired

    def next_deadline(self) -> float | None:
        """When `take_expired` has something to give, at the earliest."""
        while self._deadlines and not self._is_awaited(self._deadlines[0][1]):
            heapq.heappop(self._deadlines)
        return self._deadlines[0][0] if self._deadlines else None

    def _is_awaited(self, uid: int) -> bool:
        request = self._pending.get(uid)
        return request is not None and not request.is_streaming
