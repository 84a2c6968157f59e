# lmcache · SPDX-License-Identifier: Apache-2.0
"""Errands of a thread that must not wait."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any

from lmcache.utils import init_logger

logger = init_logger(__name__)


class Courier:
    """Runs what it is handed in that order, on a thread of its own.

    Handing over costs a wake and keeps the interpreter's lock: the errand runs while the other thread waits for
    something, as an engine's scheduler does for the model. Handed over by one thread.
    """

    def __init__(self, name: str) -> None:
        self._errands: queue.SimpleQueue[tuple[Callable[..., object], tuple[Any, ...]] | None] = queue.SimpleQueue()
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def hand(self, errand: Callable[..., object], *arguments: Any) -> None:
        """Has `errand` run with the arguments. After `close` it runs at once, on this thread."""
        if self._is_closed:
            _run(errand, arguments)
        else:
            self._errands.put((errand, arguments))

    def wait(self, timeout: float) -> bool:
        """Waits up to `timeout` seconds until what was handed over before is done; returns whether it is."""
        done = threading.Event()
        self.hand(done.set)
        return done.wait(timeout)

    def close(self, timeout: float = 2.0) -> None:
        """Ends the thread behind what it was handed. May be called more than once."""
        if not self._is_closed:
            self._is_closed = True
            self._errands.put(None)
            self._thread.join(timeout)

    def _run(self) -> None:
        while (errand := self._errands.get()) is not None:
            _run(*errand)


def _run(errand: Callable[..., object], arguments: tuple[Any, ...]) -> None:
    try:
        errand(*arguments)
    except Exception as error:
        logger.warning("a request to the cache server could not be made: %s", error)
