#!/usr/bin/env python3
# lmcache · SPDX-License-Identifier: Apache-2.0
"""Stores through a cache server with a second tier, starts it again, and checks every byte that comes back.

    second-tier.py [--adapter JSON | --tier fs|resp|s3] [--only NAME,...]

Starts the server of `LMCACHE_SERVER_COMMAND`; the tier is a directory of its own when none is given. It needs the
environment of `setup-vllm`, and `with-stores` for `resp` and `s3`.
"""

from __future__ import annotations

import os
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
os.environ.setdefault("LMCACHE_PEERS_DIR", str(HERE.parent / ".peers"))
os.environ.setdefault("LMCACHE_TRACK_USAGE", "false")
PYTHON = pathlib.Path(os.environ["LMCACHE_PEERS_DIR"]).absolute() / "vllm" / "bin" / "python"


def main() -> int:
    if pathlib.Path(sys.prefix) != PYTHON.parent.parent:
        if not PYTHON.exists():
            print(f"no {PYTHON}; run setup-vllm first", file=sys.stderr)
            return 2
        os.execv(PYTHON, [str(PYTHON), __file__, *sys.argv[1:]])
    sys.path.insert(0, str(HERE))
    from lmcache_peers.second_tier.run import main as run

    return run()


if __name__ == "__main__":
    raise SystemExit(main())
