# lmcache · SPDX-License-Identifier: Apache-2.0
"""Stores and loads in flight, and which of them the engine has been told about."""

from __future__ import annotations

import time
from dataclasses import dataclass

from lmcache.transfer.job import TransferFuture, TransferJob


@dataclass
class _Load:
    blocks: set[int]
    future: TransferFuture | None


class Transfers:
    """Any number of stores and one load for each request; nothing is forgotten before it has ended."""

    def __init__(self) -> None:
        self._stores: dict[str, list[tuple[TransferJob, TransferFuture]]] = {}
        self._loads: dict[str, _Load] = {}
        self._announced: set[str] = set()
        self._failed_blocks: set[int] = set()
        self._failed_requests: set[str] = set()

    def add_store(self, request_id: str, job: TransferJob, future: TransferFuture) -> None:
        """A store has begun."""
        self._stores.setdefault(request_id, []).append((job, future))

    def add_load(self, request_id: str, blocks: set[int], future: TransferFuture | None) -> None:
        """A load into `blocks` has begun; without a future it has failed."""
        self._loads[request_id] = _Load(blocks, future)

    def poll(self, announced: set[str]) -> tuple[set[str], set[str]]:
        """Requests that ended and whose stores ended, and requests whose load ended. Never waits."""
        if not (announced or self._announced or self._loads or self._stores):
            return set(), set()
        self._announced |= announced
        received = {request_id for request_id, load in self._loads.items() if self._has_ended(load.future)}
        for request_id in received:
            load = self._loads.pop(request_id)
            if not self._has_succeeded(load.future):
                self._failed_blocks |= load.blocks
                self._failed_requests.add(request_id)
        # The end of the load is what the engine waits for when a request was aborted during it.
        self._announced -= received
        for request_id in list(self._stores):
            left = [store for store in self._stores[request_id] if not self._has_ended(store[1])]
            if left:
                self._stores[request_id] = left
            else:
                del self._stores[request_id]
        sent = {name for name in self._announced if name not in self._stores and name not in self._loads}
        self._announced -= sent
        return sent, received

    def add_failed(self, blocks: set[int]) -> None:
        """A load into `blocks` has failed that the engine does not wait for."""
        self._failed_blocks |= blocks

    def flush_stores(self, deadline: float) -> bool:
        """Waits for all stores up to a time of the monotonic clock; gives up, and cancels, those that go on."""
        is_complete = True
        for stores in self._stores.values():
            for job, future in stores:
                if not self._wait(future, max(0.0, deadline - time.monotonic())):
                    job.is_cancelled = True
                    is_complete = False
        return is_complete

    def take_failed_blocks(self) -> set[int]:
        """Blocks of failed loads, once."""
        if not self._failed_blocks:
            return set()
        taken, self._failed_blocks = self._failed_blocks, set()
        return taken

    def take_failed_requests(self) -> set[str]:
        """Requests of failed loads, once."""
        if not self._failed_requests:
            return set()
        taken, self._failed_requests = self._failed_requests, set()
        return taken

    @staticmethod
    def _wait(future: TransferFuture, seconds: float) -> bool:
        try:
            return future.wait(seconds)
        except Exception:
            return True

    @staticmethod
    def _has_ended(future: TransferFuture | None) -> bool:
        if future is None:
            return True
        try:
            return future.query()
        except Exception:
            # An event that cannot be opened tells nothing; what it stood for counts as failed.
            return True

    @staticmethod
    def _has_succeeded(future: TransferFuture | None) -> bool:
        if future is None:
            return False
        try:
            return bool(future.result(0))
        except Exception:
            return False
