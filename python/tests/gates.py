# lmcache · SPDX-License-Identifier: Apache-2.0
"""Transfers that begin, or end, when the test says so."""

from __future__ import annotations

from typing import Any

from lmcache.v1.multiprocess.futures import MessagingFuture


class Gate:
    """Holds back the loads (`retrieve`) or stores (`store`) of one worker until `open`; they can be made to fail."""

    def __init__(self, worker: Any, operation: str) -> None:
        self._context = worker.connector._worker.adapter._context
        self._operation = operation
        self._begin = getattr(self._context, operation)
        self.held: list[tuple[Any, MessagingFuture[bool]]] = []
        setattr(self._context, operation, self._hold)

    def _hold(self, job: Any) -> MessagingFuture[bool]:
        future: MessagingFuture[bool] = MessagingFuture()
        self.held.append((job, future))
        return future

    def open(self) -> None:
        """Lets everything go on, and what comes later at once."""
        setattr(self._context, self._operation, self._begin)
        for job, future in self.held:
            self._begin(job).add_done_callback(lambda done, future=future: future.set_result(done.result(0)))
        self.held.clear()

    def fail(self) -> None:
        """Lets everything held back fail; what comes later is held back again."""
        for _, future in self.held:
            future.set_result(False)
        self.held.clear()
