# lmcache · SPDX-License-Identifier: Apache-2.0
"""Reads the repository's text files and prints what breaks a rule."""

from __future__ import annotations

import argparse
import collections
import pathlib
import subprocess
import sys
from collections.abc import Iterator

from tidy import sizes, swift_rules, texts
from tidy.findings import Finding, SourceFile

RULES = (*sizes.RULES, *texts.RULES, *swift_rules.RULES)
SUFFIXES = {".swift", ".py", ".c", ".h", ".sh", ".md", ".modulemap", ".json", ".yml", ".yaml", ""}
# Recorded from the original or found by a fuzzer: not ours to shape.
RECORDED = ("Tests/WireGoldenTests/Goldens/", "Tests/Unit/L2FileSystemTests/Goldens/", "Fuzz/Corpus/", "LICENSE")


def paths(wanted: list[str]) -> Iterator[str]:
    """Files that git tracks or would, in order, without the recorded ones."""
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *wanted],
        stdout=subprocess.PIPE, check=True, text=True)
    for path in sorted(set(listed.stdout.split("\0")) - {""}):
        if pathlib.PurePosixPath(path).suffix in SUFFIXES and not path.startswith(RECORDED):
            yield path


def read(path: str) -> SourceFile | None:
    try:
        return SourceFile(path, pathlib.Path(path).read_text(encoding="utf-8"))
    except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
        return None


def check(file: SourceFile) -> list[Finding]:
    return [finding for rule in RULES for finding in rule(file)]


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/tidy", description=__doc__)
    parser.add_argument("--warnings", action="store_true", help="list warnings too, not only their numbers")
    parser.add_argument("paths", nargs="*")
    arguments = parser.parse_args()

    files = [file for path in paths(arguments.paths) if (file := read(path)) is not None]
    findings = sorted(finding for file in files for finding in check(file))
    errors = [finding for finding in findings if not finding.is_warning]
    warnings = [finding for finding in findings if finding.is_warning]
    for finding in [*errors, *(warnings if arguments.warnings else [])]:
        print(finding, file=sys.stderr)
    by_rule = collections.Counter(finding.rule for finding in warnings)
    talk = ", ".join(f"{count} {rule}" for rule, count in sorted(by_rule.items())) or "none"
    print(f"tidy: {len(files)} files, {len(errors)} errors, warnings: {talk}")
    return 1 if errors else 0


if __name__ == "__main__":
    raise SystemExit(main())
