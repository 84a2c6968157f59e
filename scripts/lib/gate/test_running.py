# lmcache · SPDX-License-Identifier: Apache-2.0
"""A stage ends, says why it failed, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import io
import os
import pathlib
import tempfile
import time
import unittest
from unittest import mock

from gate import __main__ as gate
from gate import running, tally
from gate.running import Outcome
from gate.stages import STAGES, Stage
from gate.tally import Tally


class RunningTests(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.said = io.StringIO()
        for context in (mock.patch.object(running, "LOGS", self.folder), contextlib.redirect_stdout(self.said)):
            context.__enter__()
            self.addCleanup(context.__exit__, None, None, None)

    def shell(self, script: str, minutes: float = 1, **options) -> Outcome:
        return running.run(Stage("stage", ("sh", "-c", script), minutes, **options))

    def test_verdicts_are_shown_and_counted(self) -> None:
        outcome = self.shell(
            "echo PASS a 1 s; echo other; echo FAIL b why; exit 1", count=tally.verdicts, shows_verdicts=True)
        self.assertEqual(outcome.tally, Tally(1, 1))
        self.assertIn("    PASS a 1 s\n    FAIL b why\n", self.said.getvalue())
        self.assertEqual(self.said.getvalue().splitlines()[-1], "---- end of stage")

    def test_a_stage_that_hangs_is_stopped_with_its_children(self) -> None:
        began = time.monotonic()
        outcome = self.shell(f"sleep 100 & echo $! >{self.folder}/child; wait", minutes=0.01)
        self.assertLess(time.monotonic() - began, 15)
        self.assertEqual((outcome.exit_status, outcome.tally), (124, Tally(0, 1)))
        child = int((self.folder / "child").read_text())
        time.sleep(0.1)
        self.assertFalse(self.is_running(child))

    @staticmethod
    def is_running(process: int) -> bool:
        try:
            state = pathlib.Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return False
        return state != "Z"

    def test_stages_find_nothing_on_standard_input(self) -> None:
        self.assertEqual(self.shell("read line && exit 1; exit 0").tally, Tally(1, 0))

    def test_what_needs_a_failed_stage_fails_without_running(self) -> None:
        stage = Stage("second", ("false",), 1, needs=("first",))
        outcome = gate.play(stage, {"first": Outcome(Tally(0, 1), 1, 1)})
        self.assertEqual((outcome.tally, outcome.seconds), (Tally(0, 1), 0))
        self.assertIn("not run: first failed", self.said.getvalue())

    def test_needs_name_earlier_stages(self) -> None:
        names: list[str] = []
        for stage in STAGES:
            self.assertLessEqual(set(stage.needs), set(names), stage.name)
            names.append(stage.name)
        self.assertTrue(all(os.access(one.command[0], os.X_OK) for one in STAGES if "/" in one.command[0]))


if __name__ == "__main__":
    unittest.main()
