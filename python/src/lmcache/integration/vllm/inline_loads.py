# lmcache · SPDX-License-Identifier: Apache-2.0
"""Loads that belong to the step which reads their blocks."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from lmcache.transfer.job import TransferFuture, TransferJob
from lmcache.transfer.stream_gate import StreamGate
from lmcache.utils import init_logger
from lmcache.v1.multiprocess.futures import DeviceMessagingFuture

logger = init_logger(__name__)

REPLY_WHEN_LOADED = "lmcache.mp.reply_when_loaded"
"""The request option that lets a server of ours answer when the bytes are in place."""


@dataclass(eq=False)
class InlineLoad:
    """One of them; without a future it has failed before it began."""

    request_id: str
    job: TransferJob
    blocks: set[int]
    future: TransferFuture | None
    is_good: bool | None = None


@dataclass(eq=False)
class _Step:
    number: int
    loads: list[InlineLoad]
    deadline: float
    left: int
    done: threading.Event = field(default_factory=threading.Event)


class InlineLoads:
    """Lets the device go on when all loads of a step have ended, well or not, and tells which did not end well.

    With a gate the device's stream waits while the engine goes on launching work; without one, or where it cannot,
    `hold` waits. Every wait ends after `seconds`. What is called belongs to the engine's thread; answers come on any.
    """

    def __init__(
        self, gate: StreamGate | None, seconds: float, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._gate = gate
        self._seconds = seconds
        self._clock = clock
        self._changed = threading.Condition()
        self._number = 0
        self._open: deque[_Step] = deque()
        """Steps that the device may be waiting for, oldest first."""
        self._unsettled: list[_Step] = []
        self._unheld: list[_Step] = []
        self._watcher: threading.Thread | None = None
        self._is_closed = False

    def begin(self, loads: list[InlineLoad]) -> None:
        """Takes over loads of the step that comes next."""
        self._number += 1
        step = _Step(self._number, loads, self._clock() + self._seconds, len(loads))
        with self._changed:
            self._open.append(step)
            self._changed.notify_all()
        self._unsettled.append(step)
        self._unheld.append(step)
        for load in loads:
            self._watch_answer(step, load)

    def hold(self) -> None:
        """Lets what is launched from now on wait for the loads that were begun."""
        steps, self._unheld = self._unheld, []
        for step in steps:
            if self._gate is not None and self._gate.hold(step.number):
                self._start_watcher()
            else:
                self._wait(step)

    def settle(self) -> list[InlineLoad]:
        """Waits until all loads begun so far have ended; gives those that failed, once."""
        if not self._unsettled:
            return []
        steps, self._unsettled = self._unsettled, []
        for step in steps:
            self._wait(step)
        return [load for step in steps for load in step.loads if not load.is_good]

    def close(self) -> None:
        """Lets everything go on."""
        with self._changed:
            self._is_closed = True
            steps = list(self._open)
            self._changed.notify_all()
        for step in steps:
            self._give_up(step)

    def _watch_answer(self, step: _Step, load: InlineLoad) -> None:
        future = load.future
        if future is None:
            self._ended(step, load, False)
        else:
            future.add_done_callback(lambda _: self._ended(step, load, _verdict(future)))

    def _wait(self, step: _Step) -> None:
        if not step.done.wait(max(0.0, step.deadline - self._clock())):
            self._give_up(step)

    def _give_up(self, step: _Step) -> None:
        for load in step.loads:
            if load.is_good is None:
                logger.warning("load of request %s did not end in time and was given up", load.request_id)
                load.job.cancel()
                self._ended(step, load, False)

    def _ended(self, step: _Step, load: InlineLoad, is_good: bool) -> None:
        with self._changed:
            if load.is_good is not None:
                return
            load.is_good = is_good
            step.left -= 1
            if step.left:
                return
            step.done.set()
            # In order: the gate opens for all numbers up to the one it is raised to.
            while self._open and not self._open[0].left:
                number = self._open.popleft().number
                if self._gate is not None:
                    self._gate.raise_to(number)

    def _start_watcher(self) -> None:
        if self._watcher is None:
            self._watcher = threading.Thread(target=self._watch, name="lmcache-inline-loads", daemon=True)
            self._watcher.start()

    def _watch(self) -> None:
        """Gives up what goes on too long, also while the engine's thread waits for the device."""
        while True:
            with self._changed:
                if self._is_closed:
                    return
                oldest = self._open[0] if self._open else None
                left = None if oldest is None else oldest.deadline - self._clock()
                if left is None or left > 0:
                    self._changed.wait(left)
                    continue
            assert oldest is not None
            self._give_up(oldest)


def _verdict(future: TransferFuture) -> bool:
    """Whether the bytes are in place now that the answer is there."""
    try:
        if isinstance(future, DeviceMessagingFuture):
            return future.is_complete() and bool(future.result(0))
        return bool(future.result(0))
    except Exception:
        return False
