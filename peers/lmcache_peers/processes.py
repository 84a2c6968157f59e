# lmcache · SPDX-License-Identifier: Apache-2.0
"""Child processes, each the leader of its own group, none of which outlives this program."""

from __future__ import annotations

import atexit
import os
import pathlib
import re
import signal
import subprocess
import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_running: list[Process] = []


class Late(Exception):
    """Something did not happen before its deadline."""


def wait_for(what: str, seconds: float, probe: Callable[[], Value | None], pause: float = 0.1) -> Value:
    """Calls `probe` until it gives something true; raises `Late` after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise Late(f"{what}: not within {seconds:.0f} s")
        time.sleep(pause)


class Process:
    """A program in a group of its own whose two output streams go to one log file."""

    def __init__(self, name: str, command: list[str], log: pathlib.Path, environment: dict[str, str]) -> None:
        self.name = name
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        self._started_at = log.stat().st_size if log.exists() else 0
        with log.open("ab") as output:
            self._child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment,
                start_new_session=True,
            )
        _running.append(self)

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def exit_status(self) -> int | None:
        """The exit status, negative for a signal; nil while it runs."""
        return self._child.poll()

    def text(self, since: int | None = None) -> str:
        """What this start has written so far (or from the byte `since` on), without colours."""
        with self.log.open("rb") as log:
            log.seek(self._started_at if since is None else since)
            return _COLOURS.sub("", log.read().decode(errors="replace"))

    def mark(self) -> int:
        """The present length of the log, for a later `text(since)`."""
        return self.log.stat().st_size

    def kill(self, with_signal: int = signal.SIGKILL) -> None:
        """Signals the whole group."""
        try:
            os.killpg(self.pid, with_signal)
        except ProcessLookupError:
            pass

    def stop(self, seconds: float = 15) -> int | None:
        """Asks the group to end, makes it end after `seconds`, and returns the leader's exit status."""
        if self.exit_status is None:
            self.kill(signal.SIGTERM)
            try:
                self._child.wait(seconds)
            except subprocess.TimeoutExpired:
                pass
        self.end()
        return self.exit_status

    def release(self) -> None:
        """Leaves it running after this program."""
        _running.remove(self)

    def end(self) -> None:
        """Kills what is left of the group and reaps the leader."""
        self.kill()
        try:
            self._child.wait(10)
        except subprocess.TimeoutExpired:
            pass
        if self in _running:
            _running.remove(self)


def end_all() -> None:
    """Kills all groups still running, the latest first."""
    for process in list(reversed(_running)):
        process.end()


def _leave(number: int, _frame: object) -> None:
    raise SystemExit(128 + number)


atexit.register(end_all)
signal.signal(signal.SIGTERM, _leave)
