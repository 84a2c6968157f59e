# lmcache · SPDX-License-Identifier: Apache-2.0
"""Runs the stages and adds their counts up."""

from __future__ import annotations

import argparse
import os
import sys
import time

from gate.running import Outcome, run
from gate.stages import STAGES, Stage
from gate.tally import Tally


def parse() -> list[Stage]:
    names = [stage.name for stage in STAGES]
    parser = argparse.ArgumentParser(prog="scripts/test", description=__doc__)
    parser.add_argument("--only", default="", metavar="STAGE,...", help=f"stages to run, of {', '.join(names)}")
    parser.add_argument("--list", action="store_true", help="say what would be run")
    arguments = parser.parse_args()
    wanted = [name for name in arguments.only.split(",") if name]
    if unknown := sorted(set(wanted) - set(names)):
        parser.error(f"--only: no stage {', '.join(unknown)}; accepted: {', '.join(names)}")
    chosen = [stage for stage in STAGES if not wanted or stage.name in wanted]
    if os.environ.get("LMCACHE_SKIP_PEERS") and not wanted:
        print("LMCACHE_SKIP_PEERS is set: no real engine and no client program of the original is tried", flush=True)
        chosen = [stage for stage in chosen if not stage.is_peer]
    if arguments.list:
        for stage in chosen:
            print(f"{stage.name:20}{' '.join(stage.command)}")
        raise SystemExit(0)
    return chosen


def play(stage: Stage, outcomes: dict[str, Outcome]) -> Outcome:
    """Runs a stage unless one that it needs has failed, which then fails it too."""
    lost = [name for name in stage.needs if name in outcomes and outcomes[name].exit_status != 0]
    if lost:
        print(f"FAILED  {stage.name:18}not run: {', '.join(lost)} failed", flush=True)
        return Outcome(Tally(0, 1), 0, 1)
    print(f"        {stage.name} ...", flush=True)
    outcome = run(stage)
    word = "ok      " if outcome.is_good else "FAILED  "
    counts = f"{outcome.tally.passed} passed, {outcome.tally.failed} failed"
    print(f"{word}{stage.name:18}{counts:28}{outcome.seconds:8.1f} s", flush=True)
    return outcome


def main() -> int:
    began = time.monotonic()
    outcomes: dict[str, Outcome] = {}
    for stage in parse():
        outcomes[stage.name] = play(stage, outcomes)
    total = sum((outcome.tally for outcome in outcomes.values()), Tally())
    print(f"took {(time.monotonic() - began) / 60:.1f} min")
    print(f"{total.passed} passed, {total.failed} failed", flush=True)
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
