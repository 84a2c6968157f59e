# lmcache · SPDX-License-Identifier: Apache-2.0
"""How a transfer ends: with a yes or a no, and in time."""

from __future__ import annotations

import time
from typing import Any

from lmcache.transfer.job import TransferFuture, TransferJob

_SHORTEST_PAUSE = 0.00005
_LONGEST_PAUSE = 0.002


class Outcome:
    """A transfer's result, failed at its deadline at the latest. Nothing here raises. Used by one thread.

    A transfer that is given up is cancelled, so that this process does not write to its blocks any more.
    """

    def __init__(self, future: TransferFuture | None, job: TransferJob | None, seconds: float) -> None:
        self._future = future
        self._job = job
        self._deadline = time.monotonic() + seconds
        self._result: bool | None = None

    @staticmethod
    def settled(result: bool) -> Outcome:
        """A result that is known from the start."""
        outcome = Outcome(None, None, 0)
        outcome._result = result
        return outcome

    def query(self) -> bool:
        """Whether it has ended; never waits for the server."""
        if self._result is None:
            if self._has_arrived():
                self._result = self._value()
            elif time.monotonic() >= self._deadline:
                self.give_up()
        return self._result is not None

    def result(self, timeout: float | None = None) -> bool:
        """Whether it succeeded, after waiting up to `timeout` seconds and not past the deadline; given up otherwise."""
        until = self._deadline if timeout is None else min(self._deadline, time.monotonic() + timeout)
        pause = _SHORTEST_PAUSE
        while not self.query():
            left = until - time.monotonic()
            if left <= 0:
                self.give_up()
                break
            time.sleep(min(pause, left))
            pause = min(2 * pause, _LONGEST_PAUSE)
        return bool(self._result)

    def wait_on_stream(self, stream: Any, timeout: float | None = None) -> bool:
        """Whether it succeeded. The bytes are in place when this returns, whatever the stream does next.

        A stream that waited for the server's event instead would go on with half a copy if the server died.
        """
        del stream
        return self.result(timeout)

    def give_up(self) -> None:
        """Ends the wait: the transfer has failed."""
        if self._result is None:
            if self._job is not None:
                self._job.cancel()
            self._result = False

    def retain_reference(self, value: object) -> None:
        """Keeps `value` alive until the answer."""
        if self._future is not None:
            self._future.retain_reference(value)

    def _has_arrived(self) -> bool:
        try:
            return self._future is None or self._future.query()
        except Exception:
            # An event that cannot be opened tells nothing; what it stood for counts as failed.
            return True

    def _value(self) -> bool:
        try:
            return self._future is not None and bool(self._future.result(0))
        except Exception:
            return False
