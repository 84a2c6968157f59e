# lmcache · SPDX-License-Identifier: Apache-2.0
"""`python -m lmcache.v1.multiprocess.http_server`: the name under which engines and scripts start the server."""

from __future__ import annotations

import sys
from typing import NoReturn

from lmcache.cli.program import become_program


def main() -> NoReturn:
    """Becomes `lmcache server` with this process's arguments."""
    become_program(["server", *sys.argv[1:]])


if __name__ == "__main__":
    main()
