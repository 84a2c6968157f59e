# lmcache · SPDX-License-Identifier: Apache-2.0
"""Finds the native program and becomes it."""

from __future__ import annotations

import os
import pathlib
import sys
from collections.abc import Sequence
from typing import NoReturn


def program_path() -> str | None:
    """The program's file: LMCACHE_PROGRAM, the package's, the checkout's build; none when there is none."""
    named = os.environ.get("LMCACHE_PROGRAM")
    if named:
        return named if os.access(named, os.X_OK) else None
    here = pathlib.Path(__file__).resolve()
    candidates = [here.parent.parent / "native" / "bin" / "lmcache"]
    # <checkout>/python/src/lmcache/cli/program.py
    checkout = here.parents[4] if len(here.parents) > 4 else None
    if checkout is not None and (checkout / "Package.swift").is_file():
        candidates += [checkout / ".build" / kind / "lmcache" for kind in ("release", "debug")]
    return next((str(path) for path in candidates if os.access(path, os.X_OK) and path.is_file()), None)


def become_program(arguments: Sequence[str]) -> NoReturn:
    """Replaces this process by the program. Ends with status 127 and one line when there is none."""
    path = program_path()
    if path is None:
        print("lmcache: the native program is not there; install the wheel, or set LMCACHE_PROGRAM", file=sys.stderr)
        raise SystemExit(127)
    try:
        os.execv(path, ["lmcache", *arguments])
    except OSError as error:
        print(f"lmcache: {path} cannot be run: {error.strerror}", file=sys.stderr)
        raise SystemExit(126) from error
