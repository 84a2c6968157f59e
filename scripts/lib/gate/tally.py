# lmcache · SPDX-License-Identifier: Apache-2.0
"""Reads how many checks a stage passed and failed from what it printed."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable


@dataclasses.dataclass(frozen=True)
class Tally:
    """Checks passed and failed."""

    passed: int = 0
    failed: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.passed + other.passed, self.failed + other.failed)


def one(exit_status: int, lines: Iterable[str]) -> Tally:
    """A stage that is one check: its exit status says it all."""
    return Tally(1, 0) if exit_status == 0 else Tally(0, 1)


_RUN = re.compile(r"Test run with (\d+) tests?\b.*\b(passed|failed)")
_TEST_FAILED = re.compile(r"^\W*Test (?!run\b|case\b).+ failed after ")
_TEST_SKIPPED = re.compile(r"^\W*Test (?!run\b|case\b).+ skipped")
_SUMMARY = re.compile(r"Executed (\d+) tests?, with (?:\d+ tests? skipped and )?(\d+) failures?")


def swift_tests_without_skips(exit_status: int, lines: Iterable[str]) -> Tally:
    """The tests of `swift test` where a skipped one is a failure: in CI everything can run."""
    return swift_tests(exit_status, lines, counts_skips=True)


def swift_tests(exit_status: int, lines: Iterable[str], counts_skips: bool = False) -> Tally:
    """The tests of `swift test`. A run that broke off is a failure; a skipped test counts as neither."""
    total = failed = skipped = 0
    was_finished = False
    for line in lines:
        if run := _RUN.search(line):
            total += int(run[1])
            was_finished = True
        elif _TEST_FAILED.match(line):
            failed += 1
        elif _TEST_SKIPPED.match(line):
            skipped += 1
        elif summary := _SUMMARY.search(line):
            # Of XCTest, which this package does not use: prints one line of zeros for each level of suites.
            failed += int(summary[2])
    if counts_skips:
        failed += skipped
    else:
        total -= skipped
    if failed == 0 and (exit_status != 0 or not was_finished or total == 0):
        failed = 1
    return Tally(max(0, total - failed), failed)


_PYTEST = re.compile(r"(\d+) (passed|failed|error|errors)\b")


def pytest(exit_status: int, lines: Iterable[str]) -> Tally:
    """The closing line of pytest. A skipped test counts as neither."""
    passed = failed = 0
    for line in lines:
        if not re.search(r" in \d+\.\d+s", line):
            continue
        for number, verdict in _PYTEST.findall(line):
            if verdict == "passed":
                passed += int(number)
            else:
                failed += int(number)
    if failed == 0 and (exit_status != 0 or passed == 0):
        failed = 1
    return Tally(passed, failed)


def verdicts(exit_status: int, lines: Iterable[str]) -> Tally:
    """Lines that begin with PASS or FAIL, one for each scenario. A status that no line explains is a failure."""
    passed = failed = 0
    for line in lines:
        passed += line.startswith("PASS ")
        failed += line.startswith("FAIL ")
    if failed == 0 and (exit_status != 0 or passed == 0):
        failed = 1
    return Tally(passed, failed)
