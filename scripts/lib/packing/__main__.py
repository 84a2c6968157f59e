# lmcache · SPDX-License-Identifier: Apache-2.0
"""Packs the Python package, the program and the library into one wheel. See scripts/build-wheel."""

from __future__ import annotations

import argparse
import pathlib
import sys

from packing.archive import write_wheel
from packing.binaries import BinaryError, platform_tag
from packing.metadata import read_project


def main() -> int:
    parser = argparse.ArgumentParser(prog="build-wheel")
    parser.add_argument("--program", type=pathlib.Path, required=True)
    parser.add_argument("--library", type=pathlib.Path, required=True)
    parser.add_argument("--header", type=pathlib.Path, required=True)
    parser.add_argument("--python", type=pathlib.Path, required=True, help="the folder with pyproject.toml")
    parser.add_argument("--output", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    try:
        tag = platform_tag([arguments.program, arguments.library])
    except BinaryError as error:
        print(f"build-wheel: {error}", file=sys.stderr)
        return 1
    project = read_project(arguments.python)
    files = {
        str(path.relative_to(arguments.python / "src")): path
        for path in sorted((arguments.python / "src" / "lmcache").rglob("*"))
        if path.is_file() and path.suffix in {".py", ".typed"} and "__pycache__" not in path.parts
    }
    files["lmcache/native/liblmcache.so"] = arguments.library
    files["lmcache/native/bin/lmcache"] = arguments.program
    files["lmcache/native/include/lmcache.h"] = arguments.header
    arguments.output.mkdir(parents=True, exist_ok=True)
    print(write_wheel(project, files, tag, arguments.output))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
