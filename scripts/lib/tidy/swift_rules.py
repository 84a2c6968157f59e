# lmcache · SPDX-License-Identifier: Apache-2.0
"""Rules for Swift sources that the compiler does not know."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tidy.findings import Finding, SourceFile

# Level 3 and up may use Swift concurrency in the HTTP front; the command line may too.
CONCURRENT_TARGETS = {"AdminHTTP", "ServerKit", "lmcache", "lmcache-benchmark"}
# There FoundationEssentials is allowed too; all of Foundation is allowed nowhere.

_DECLARATION = re.compile(r"\b(?:struct|class|enum|protocol|actor|typealias|extension)\s+(\w+)")
_BANNED_NAME = re.compile(r"(?:Manager|Helper|Helpers|Util|Utils|Utilities)(?![a-z])")
# A `!` that ends an operand: `value!`, `call()!`, `table[0]!`, but not `!=` nor a type's `!` after a colon.
_UNWRAP = re.compile(r"(?<=[\w)\]])!(?!=)")
_TASKS = re.compile(r"\bTask(?:Group)?\s*(?:\.detached|\.init|[{(<])|\bimport\s+Dispatch\b|\bDispatch(?:Queue|Group|Semaphore)\b|\bawait\b")
_FOUNDATION = re.compile(r"^\s*(?:\w+\s+)?import\s+(?:\w+\s+)?(Foundation\w*)\b")
_UNCHECKED = re.compile(r"@unchecked\s+Sendable|nonisolated\(unsafe\)")
_PACKAGE = re.compile(
    r"^\s*(?:@\w+(?:\([^)]*\))?\s+)*package\s+(?:(?:static|final|mutating|indirect|nonisolated)\s+)*"
    r"(func|struct|class|enum|protocol|actor)\s+(\S+?)(?:[(<:{\s]|$)")
# Conformances whose meaning the protocol gives.
_SELF_EVIDENT = {"==", "<", "hash", "encode", "description"}


def banned_name(file: SourceFile) -> Iterator[Finding]:
    """Names say what a thing does."""
    if not file.is_swift:
        return
    if match := _BANNED_NAME.search(file.name.removesuffix(".swift")):
        yield file.finding(1, "name", f"file name with '{match.group(0)}'; name what it does")
    for number, line in enumerate(file.code, 1):
        for name in _DECLARATION.findall(line):
            if match := _BANNED_NAME.search(name):
                yield file.finding(number, "name", f"{name} has '{match.group(0)}' in it; name what it does")


def force(file: SourceFile) -> Iterator[Finding]:
    """Nothing traps on what comes from outside."""
    if file.target is None or not file.is_swift:
        return
    for number, line in enumerate(file.code, 1):
        if "try!" in line or " as! " in line or _UNWRAP.search(line):
            if "// Safe:" not in file.lines[number - 1]:
                yield file.finding(number, "force", "try!, as! or a forced unwrap; throw, or say why in '// Safe:'")


def concurrency(file: SourceFile) -> Iterator[Finding]:
    """Threads below the HTTP front are our own: tasks never run in the child of a fork."""
    if file.target is None or not file.is_swift or file.target in CONCURRENT_TARGETS:
        return
    for number, line in enumerate(file.code, 1):
        if match := _TASKS.search(line):
            yield file.finding(number, "concurrency", f"'{match.group(0).strip()}' below the HTTP front; use NativeThread")


def foundation(file: SourceFile) -> Iterator[Finding]:
    """Foundation costs 34 MB and a start-up."""
    if file.target is None or not file.is_swift:
        return
    for number, line in enumerate(file.code, 1):
        match = _FOUNDATION.search(line)
        if match and not (match.group(1) == "FoundationEssentials" and file.target in CONCURRENT_TARGETS):
            yield file.finding(number, "foundation", f"import of {match.group(1)}; use Glibc and the standard library")


def unchecked(file: SourceFile) -> Iterator[Finding]:
    """What the compiler cannot see about threads, a comment says."""
    if file.target is None or not file.is_swift:
        return
    for number, line in enumerate(file.code, 1):
        if _UNCHECKED.search(line) and not _has_comment(file, number):
            text = "@unchecked Sendable or nonisolated(unsafe) without a comment naming the lock or thread"
            yield file.finding(number, "unchecked", text)


def _has_comment(file: SourceFile, number: int) -> bool:
    around = file.lines[max(0, number - 4) : number]
    return any("//" in line for line in around)


def placeholder(file: SourceFile) -> Iterator[Finding]:
    """A file has something in it."""
    if not file.is_swift or file.name == "Package.swift":
        return
    if file.name == "Placeholder.swift" or not any(line.strip() for line in file.code):
        yield file.finding(1, "placeholder", "nothing in it; delete it or fill it")


def documented(file: SourceFile) -> Iterator[Finding]:
    """What other targets use is described."""
    if file.target is None or not file.is_swift:
        return
    for number, line in enumerate(file.code, 1):
        match = _PACKAGE.match(line)
        if not match or match[2] in _SELF_EVIDENT:
            continue
        above = number - 2
        while above >= 0 and file.lines[above].strip().startswith("@"):
            above -= 1
        if above < 0 or not file.lines[above].strip().startswith(("///", "*/")):
            yield file.finding(number, "documentation", f"package {match[1]} {match[2]} has no ///", is_warning=True)


RULES = (banned_name, force, concurrency, foundation, unchecked, placeholder, documented)
