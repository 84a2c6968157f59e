# lmcache · SPDX-License-Identifier: Apache-2.0
"""Rules for any text file: header, marks of unfinished work, names of machines."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tidy.findings import Finding, SourceFile

HEADER = "lmcache · SPDX-License-Identifier: Apache-2.0"

_HEADED = (".swift", ".py", ".c", ".h", ".sh", ".modulemap")
# Spelled in pieces, so that these rules do not find themselves.
_UNFINISHED = re.compile(r"\b(?:FIX" r"ME|XX" r"X|HA" r"CK)\b")
_OWNERLESS = re.compile(r"\bTO" r"DO\b(?!.*(?:#\d+|issue \d+))")
_MACHINE = re.compile(r"(?<![\w./-])/(?:work|root|home/\w+|Users/\w+)(?:/|\b)")


def header(file: SourceFile) -> Iterator[Finding]:
    """Every source file says what it belongs to and under which licence."""
    if file.name == "Package.swift":
        return
    begins = file.lines[0] if file.lines else ""
    is_script = begins.startswith("#!")
    if not is_script and not file.path.endswith(_HEADED):
        return
    line = (file.lines[1:2] or [""])[0] if is_script else begins
    if line not in (f"// {HEADER}", f"# {HEADER}", f"/* {HEADER} */"):
        yield file.finding(2 if is_script else 1, "header", f"does not begin with '// {HEADER}'")
    elif file.is_swift and len(file.lines) > 1 and file.lines[1] != "":
        yield file.finding(2, "header", "no empty line after the header")


def unfinished(file: SourceFile) -> Iterator[Finding]:
    """Work that is not done is an issue, not a comment."""
    for number, line in enumerate(file.lines, 1):
        if _UNFINISHED.search(line):
            yield file.finding(number, "unfinished", "a mark of unfinished work; mend it or open an issue")
        elif _OWNERLESS.search(line):
            yield file.finding(number, "unfinished", "names no issue")


def machine_path(file: SourceFile) -> Iterator[Finding]:
    """Nothing depends on the machine it was written on."""
    for number, line in enumerate(file.lines, 1):
        if match := _MACHINE.search(line):
            yield file.finding(number, "machine-path", f"'{match.group(0)}' is a place on somebody's machine")


RULES = (header, unfinished, machine_path)
