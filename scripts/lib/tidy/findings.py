# lmcache · SPDX-License-Identifier: Apache-2.0
"""What a rule reports, and the file it reads."""

from __future__ import annotations

import dataclasses
import functools
import pathlib
import re


@dataclasses.dataclass(frozen=True, order=True)
class Finding:
    """One broken rule at one place; a warning does not fail the run."""

    path: str
    line: int
    rule: str
    text: str
    is_warning: bool = False

    def __str__(self) -> str:
        kind = "warning" if self.is_warning else "error"
        return f"{self.path}:{self.line}: {kind}: [{self.rule}] {self.text}"


@dataclasses.dataclass(frozen=True)
class SourceFile:
    """A text file of the repository by its path from the root."""

    path: str
    text: str

    @functools.cached_property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @functools.cached_property
    def code(self) -> list[str]:
        """The lines without comments and without what stands between quotes, for Swift."""
        return _without_comments_and_strings(self.text).splitlines()

    @property
    def name(self) -> str:
        return pathlib.PurePosixPath(self.path).name

    @property
    def is_swift(self) -> bool:
        return self.path.endswith(".swift")

    @property
    def is_test(self) -> bool:
        return self.path.startswith(("Tests/", "Benchmarks/"))

    @property
    def target(self) -> str | None:
        """The target under Sources that the file belongs to."""
        parts = self.path.split("/")
        return parts[1] if parts[0] == "Sources" and len(parts) > 2 else None

    def finding(self, line: int, rule: str, text: str, is_warning: bool = False) -> Finding:
        return Finding(self.path, line, rule, text, is_warning)


_TOKENS = re.compile(
    r'//[^\n]*|/\*.*?\*/|#"""(.*?)"""#|"""(.*?)"""|#"(?:[^"\n]|"(?!#))*"#|"(?:\\.|[^"\\\n])*"', re.DOTALL)


def _without_comments_and_strings(text: str) -> str:
    def blank(match: re.Match[str]) -> str:
        found = match.group(0)
        newlines = "\n" * found.count("\n")
        return newlines if found.startswith("/") else f'""{newlines}'

    return _TOKENS.sub(blank, text)
