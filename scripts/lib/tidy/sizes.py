# lmcache · SPDX-License-Identifier: Apache-2.0
"""Sizes of files and functions."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tidy.findings import Finding, SourceFile

FILE_FAILS, TEST_FILE_FAILS, FUNCTION_FAILS = 600, 800, 70
FILE_WARNS, TEST_FILE_WARNS, FUNCTION_WARNS = 400, 600, 50

_FUNCTION = re.compile(r"\b(?:func\s+(?P<name>\S+?)|(?P<init>init)[?!]?|(?P<deinit>deinit))\s*[(<{]")


def file_size(file: SourceFile) -> Iterator[Finding]:
    """A file does one thing."""
    fails, warns = (TEST_FILE_FAILS, TEST_FILE_WARNS) if file.is_test else (FILE_FAILS, FILE_WARNS)
    count = len(file.lines)
    if file.name.endswith(".generated.swift") or count <= warns:
        return
    yield file.finding(1, "file-size", f"{count} lines; at most {fails}, better {warns}", count <= fails)


def function_size(file: SourceFile) -> Iterator[Finding]:
    """A function fits on a screen."""
    if not file.is_swift:
        return
    for name, first, last in functions(file.code):
        count = last - first + 1
        if count > FUNCTION_WARNS:
            text = f"{name} has {count} lines; at most {FUNCTION_FAILS}, better {FUNCTION_WARNS}"
            yield file.finding(first, "function-size", text, count <= FUNCTION_FAILS)


def functions(code: list[str]) -> Iterator[tuple[str, int, int]]:
    """Name, first and last line (from 1) of every function with a body, nested ones too."""
    for index, line in enumerate(code):
        match = _FUNCTION.search(line)
        # A call such as `super.init(` or `.init(` is no declaration.
        if not match or line[: match.start()].rstrip().endswith((".", "self", "=", "(", ",")):
            continue
        if (last := _end_of_body(code, index, match.start())) is not None:
            yield match["name"] or match["init"] or match["deinit"], index + 1, last + 1


def _end_of_body(code: list[str], index: int, column: int) -> int | None:
    parentheses = braces = 0
    for number in range(index, len(code)):
        text = code[number][column:] if number == index else code[number]
        # A protocol's requirement ends without a body where the next declaration begins.
        if number > index and parentheses == 0 and braces == 0 and _begins_declaration(text):
            return None
        for character in text:
            if character in "([":
                parentheses += 1
            elif character in ")]":
                parentheses -= 1
            elif character == "{" and (parentheses == 0 or braces > 0):
                braces += 1
            elif character == "}" and (parentheses == 0 or braces > 0):
                braces -= 1
                if braces <= 0:
                    return number if braces == 0 else None
    return None


def _begins_declaration(text: str) -> bool:
    return re.match(r"\s*(?:@\w+\s+)?(?:package |private |static |mutating |public )*(?:func|var|let|init|case)\b", text) is not None


RULES = (file_size, function_size)
