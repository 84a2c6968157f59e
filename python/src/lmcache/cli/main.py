# lmcache · SPDX-License-Identifier: Apache-2.0
"""`lmcache` and `python -m lmcache.cli.main`."""

from __future__ import annotations

import sys
from typing import NoReturn

from lmcache.cli.program import become_program


def main() -> NoReturn:
    """Becomes the native program with this process's arguments."""
    become_program(sys.argv[1:])


if __name__ == "__main__":
    main()
