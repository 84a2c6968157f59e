# lmcache · SPDX-License-Identifier: Apache-2.0
"""The counts at the end of the gate are those of the stages."""

from __future__ import annotations

import unittest

from gate.tally import Tally, one, swift_tests, swift_tests_without_skips, verdicts

PASSED = "✔ Test readsOne() passed after 0.001 seconds."
FAILED = "✘ Test readsTwo(count:) with 3 test cases failed after 0.002 seconds with 1 issue."
FAILED_CASE = "✘ Test case passing 1 argument count → 2 (Int) to readsTwo(count:) failed after 0.001 seconds with 1 issue."
ISSUE = "✘ Test readsTwo(count:) recorded an issue with 1 argument count → 2 at A.swift:3:4: Expectation failed: a"
SKIPPED = '➜ Test givesAway() skipped: "only root can"'


class TallyTests(unittest.TestCase):
    def test_a_plain_stage_is_one_check(self) -> None:
        self.assertEqual(one(0, []), Tally(1, 0))
        self.assertEqual(one(3, []), Tally(0, 1))

    def test_swift_tests_are_counted_once_each(self) -> None:
        end = "✔ Test run with 12 tests in 3 suites passed after 1.5 seconds."
        self.assertEqual(swift_tests(0, [PASSED, end]), Tally(12, 0))
        end = "✘ Test run with 12 tests in 3 suites failed after 1.5 seconds with 1 issue."
        self.assertEqual(swift_tests(1, [PASSED, FAILED_CASE, ISSUE, FAILED, end]), Tally(11, 1))

    def test_a_skipped_test_is_a_failure_in_ci_only(self) -> None:
        end = "✔ Test run with 2 tests in 1 suite passed after 0.1 seconds."
        self.assertEqual(swift_tests(0, [PASSED, SKIPPED, end]), Tally(1, 0))
        self.assertEqual(swift_tests_without_skips(0, [PASSED, SKIPPED, end]), Tally(1, 1))

    def test_a_run_that_broke_off_is_a_failure(self) -> None:
        self.assertEqual(swift_tests(132, [PASSED]), Tally(0, 1))
        self.assertEqual(swift_tests(0, []), Tally(0, 1))
        end = "✔ Test run with 0 tests in 0 suites passed after 0.1 seconds."
        self.assertEqual(swift_tests(0, [end]), Tally(0, 1))

    def test_verdicts_are_lines(self) -> None:
        self.assertEqual(verdicts(0, ["PASS a", "PASS b 3 s", "2 passed, 0 failed"]), Tally(2, 0))
        self.assertEqual(verdicts(1, ["PASS a", "FAIL b why"]), Tally(1, 1))
        self.assertEqual(verdicts(1, ["PASS a"]), Tally(1, 1))
        self.assertEqual(verdicts(0, []), Tally(0, 1))


if __name__ == "__main__":
    unittest.main()
