# lmcache · SPDX-License-Identifier: Apache-2.0
"""Runs one stage: output to a file, a limit on its time, and nothing of it left behind."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import signal
import subprocess
import time

from gate.stages import RELEASE_PROGRAM, Stage
from gate.tally import Tally

LOGS = pathlib.Path(".build/gate")
TAIL_LINES = 60
# Lines that say why a long log ends in a failure, wherever they are in it.
TELLING = (" error: ", "✘ Test ", "Fatal error", "FAIL ", "SUMMARY: AddressSanitizer", "warning: unre")
TELLING_LIMIT = 40


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a stage ended."""

    tally: Tally
    seconds: float
    exit_status: int

    @property
    def is_good(self) -> bool:
        return self.tally.failed == 0


def environment(stage: Stage) -> dict[str, str]:
    return {
        **os.environ,
        "SWIFT_BACKTRACE": os.environ.get("SWIFT_BACKTRACE", "enable=no"),
        "LMCACHE_SERVER_COMMAND": str(pathlib.Path(RELEASE_PROGRAM).absolute()),
        "PYTHONUNBUFFERED": "1",
        **dict(stage.environment),
    }


def run(stage: Stage) -> Outcome:
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / f"{stage.name}.log"
    began = time.monotonic()
    with log.open("wb") as output:
        status = _run_to_end(stage, output, log)
    seconds = time.monotonic() - began
    lines = log.read_text(errors="replace").splitlines()
    outcome = Outcome(stage.count(status, lines), seconds, status)
    if not outcome.is_good:
        _explain(stage, lines, status, log)
    return outcome


def _run_to_end(stage: Stage, output, log: pathlib.Path) -> int:
    process = subprocess.Popen(
        stage.command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=environment(stage),
        start_new_session=True)
    deadline = time.monotonic() + stage.limit_minutes * 60
    shown = 0
    try:
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.2)
            if stage.shows_verdicts:
                shown = _show_verdicts(log, shown)
        if process.poll() is None:
            output.write(f"\ngate: stopped after {stage.limit_minutes:g} minutes\n".encode())
            return 124
        if stage.shows_verdicts:
            _show_verdicts(log, shown)
        return process.returncode
    finally:
        _end_session(process)


def _end_session(process: subprocess.Popen) -> None:
    """Ends whatever the stage started and left in its session."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        if process.poll() is None:
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                continue
    process.wait()


def _show_verdicts(log: pathlib.Path, shown: int) -> int:
    """Prints whole new verdict lines from byte `shown` on; returns how far it came."""
    with log.open("rb") as written:
        written.seek(shown)
        new = written.read()
    end = new.rfind(b"\n") + 1
    for line in new[:end].decode(errors="replace").splitlines():
        if line.startswith(("PASS ", "FAIL ")):
            print(f"    {line}", flush=True)
    return shown + end


def _explain(stage: Stage, lines: list[str], status: int, log: pathlib.Path) -> None:
    print(f"---- {stage.name}: exit status {status}, all of it in {log}", flush=True)
    tail = lines[-TAIL_LINES:]
    telling = [line for line in lines[:-TAIL_LINES] if any(mark in line for mark in TELLING)]
    for line in telling[:TELLING_LIMIT]:
        print(line)
    if telling:
        print("  ...")
    print("\n".join(tail), flush=True)
    print(f"---- end of {stage.name}", flush=True)
