# lmcache · SPDX-License-Identifier: Apache-2.0
"""Where the `lmcache` program is."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path


def program() -> str:
    """The path of the program: LMCACHE_PROGRAM, else beside the interpreter, else the checkout's build, else on PATH.

    Raises `FileNotFoundError` with what can be done.
    """
    given = os.environ.get("LMCACHE_PROGRAM")
    if given:
        return given
    checkout = Path(__file__).parents[3]
    candidates = [
        Path(sys.executable).parent / "lmcache",
        checkout / ".build" / "release" / "lmcache",
        checkout / ".build" / "debug" / "lmcache",
    ]
    for candidate in candidates:
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return str(candidate)
    found = shutil.which("lmcache")
    if found is None:
        raise FileNotFoundError("there is no lmcache program beside the interpreter or on PATH; set LMCACHE_PROGRAM")
    return found
