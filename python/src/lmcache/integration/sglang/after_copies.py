# lmcache · SPDX-License-Identifier: Apache-2.0
"""What may only happen once a device has made its copies."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import Any

from lmcache.utils import init_logger

logger = init_logger(__name__)

LONGEST_COPIES = 60.0
"""Seconds after which copies count as lost."""

_PAUSE = 0.0005

Action = Callable[[], bool]


class AfterCopies:
    """Runs actions behind the current stream's work: at once on processors, else on a thread of its own."""

    def __init__(self, device: Any) -> None:
        self._device = device
        self._queue: queue.SimpleQueue[tuple[Any, Action] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def run(self, action: Action) -> bool:
        """Runs an action, or queues it. Returns what it returns, or true when it was queued; raises what it raises."""
        if self._device.type == "cpu":
            return action()
        import torch

        module = torch.get_device_module(self._device)
        event = module.Event()
        event.record(module.current_stream(self._device))
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="lmcache-copies", daemon=True)
            self._thread.start()
        self._queue.put((event, action))
        return True

    def close(self, seconds: float = 5.0) -> None:
        """Ends the thread once it has done what was queued."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join(seconds)

    def _work(self) -> None:
        while (item := self._queue.get()) is not None:
            event, action = item
            try:
                if self._has_fired(event):
                    action()
            except Exception as error:
                logger.warning("what followed a copy failed: %s", error)

    @staticmethod
    def _has_fired(event: Any) -> bool:
        deadline = time.monotonic() + LONGEST_COPIES
        while not event.query():
            if time.monotonic() >= deadline:
                logger.warning("the device did not make its copies within %s s", LONGEST_COPIES)
                return False
            time.sleep(_PAUSE)
        return True
