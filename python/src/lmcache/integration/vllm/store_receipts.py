# lmcache · SPDX-License-Identifier: Apache-2.0
"""What a worker tells the scheduler about deferred stores: exactly one receipt for each."""

from __future__ import annotations

from collections.abc import Sequence

from lmcache.integration.vllm.transfer_entry import TransferEntry
from lmcache.transfer.job import TransferFuture


class StoreReceipts:
    """Stores on their way, by the number that the scheduler gave them. Used by one thread, never waits."""

    def __init__(self, is_writer: bool) -> None:
        """A rank that another one stores for has nothing to do, and succeeds."""
        self._is_writer = is_writer
        self._futures: dict[int, TransferFuture] = {}
        self._ended: dict[int, bool] = {}

    def expect(self, entries: Sequence[TransferEntry], futures: Sequence[TransferFuture | None]) -> None:
        """Stores have begun; those without a future did not."""
        for entry, future in zip(entries, futures, strict=True):
            if future is None:
                self._ended[entry.receipt] = not self._is_writer
            else:
                self._futures[entry.receipt] = future

    def take(self) -> tuple[dict[int, int], set[int]]:
        """The stores that ended since the last call, each with a count of one, and those of them that failed."""
        if self._futures:
            for number in [number for number, future in self._futures.items() if _has_ended(future)]:
                self._ended[number] = _has_succeeded(self._futures.pop(number))
        ended, self._ended = self._ended, {}
        return dict.fromkeys(ended, 1), {number for number, is_good in ended.items() if not is_good}


def _has_ended(future: TransferFuture) -> bool:
    try:
        return future.query()
    except Exception:
        return True


def _has_succeeded(future: TransferFuture) -> bool:
    try:
        return bool(future.result(0))
    except Exception:
        return False
