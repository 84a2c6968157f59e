# lmcache · SPDX-License-Identifier: Apache-2.0
"""`python -m lmcache.v1.multiprocess.http_server OPTIONS`: becomes `lmcache server OPTIONS`."""

from __future__ import annotations

import os
import sys

from lmcache.program import program


def main() -> None:
    """Replaces this process by the server."""
    path = program()
    os.execv(path, [path, "server", *sys.argv[1:]])


if __name__ == "__main__":
    main()
