# lmcache · SPDX-License-Identifier: Apache-2.0
"""Which requests may have gained enough tokens, without looking at those that cannot have."""

from __future__ import annotations

import heapq


class DueRequests:
    """Requests in the order in which they can gain what they wait for, at the earliest.

    No request gains more in a step than the one that gains the most, so the sum of those bounds what each of them has.
    """

    def __init__(self) -> None:
        self._gained = 0
        self._heap: list[tuple[int, str]] = []
        self._due_at: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._due_at)

    def advance(self, most: int) -> None:
        """A step in which no request gains more than `most` tokens."""
        self._gained += most

    def wait(self, request_id: str, tokens: int) -> None:
        """The request is due when it may have gained `tokens` more; forgets what it waited for before."""
        due_at = self._gained + tokens
        self._due_at[request_id] = due_at
        heapq.heappush(self._heap, (due_at, request_id))

    def forget(self, request_id: str) -> None:
        """The request is not due any more."""
        self._due_at.pop(request_id, None)

    def take(self) -> list[str]:
        """Those that are due, each of which has to wait anew."""
        due: list[str] = []
        while self._heap and self._heap[0][0] <= self._gained:
            due_at, request_id = heapq.heappop(self._heap)
            # What was replaced or forgotten is still in the heap.
            if self._due_at.get(request_id) == due_at:
                del self._due_at[request_id]
                due.append(request_id)
        return due
