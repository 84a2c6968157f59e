# lmcache · SPDX-License-Identifier: Apache-2.0
"""Verdicts: one line for each thing that was to be shown."""

from __future__ import annotations

import traceback
from collections.abc import Callable


class Wrong(Exception):
    """A scenario found something that is not as it should be."""


def expect(holds: bool, why: str) -> None:
    """Raises `Wrong` with the reason unless `holds`."""
    if not holds:
        raise Wrong(why)


def expect_equal(what: str, found: object, expected: object) -> None:
    """Raises `Wrong` naming both values unless they are equal."""
    expect(found == expected, f"{what}: {found} instead of {expected}")


class Report:
    """Prints a verdict for each scenario and remembers whether any failed."""

    def __init__(self) -> None:
        self.passed = 0
        self.failed = 0

    def pass_(self, name: str, detail: str = "") -> None:
        self.passed += 1
        print(f"PASS {name} {detail}".rstrip(), flush=True)

    def fail(self, name: str, why: str) -> None:
        self.failed += 1
        print(f"FAIL {name} {why}", flush=True)

    def run(self, name: str, scenario: Callable[..., str], *arguments: object) -> bool:
        """Runs one scenario, which returns the detail to print; whatever it raises is a failure."""
        try:
            self.pass_(name, scenario(*arguments))
            return True
        except Exception as error:  # noqa: BLE001
            frame = traceback.extract_tb(error.__traceback__)[-1]
            kind = "" if isinstance(error, Wrong) else f"{type(error).__name__} in {frame.name}: "
            self.fail(name, f"{kind}{error}")
            return False

    @property
    def exit_status(self) -> int:
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        return 1 if self.failed else 0
