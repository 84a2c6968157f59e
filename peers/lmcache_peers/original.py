# lmcache · SPDX-License-Identifier: Apache-2.0
"""Starts and stops the original's server for other programs, such as a benchmark.

    original.py start PORT HTTP_PORT [SERVER OPTION...]    prints "PID SECONDS" once it is ready, and leaves it running
    original.py stop PID                                   ends it and its whole group
    original.py measure COMMAND [ARGUMENT...]              runs a command between start and stop, on free ports

The command of `measure` finds the ports in LMCACHE_PEER_PORT and LMCACHE_PEER_HTTP_PORT, the process id in
LMCACHE_PEER_PID and the seconds until it was ready in LMCACHE_PEER_READY_SECONDS; its exit status is passed on.
LMCACHE_PEER_OPTIONS adds server options. Ready means that the request socket tells its chunk size and that the HTTP
health check answers.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time

from lmcache_peers import settings, shared_memory
from lmcache_peers.processes import Late, end_all, wait_for
from lmcache_peers.server import CacheServer

DEFAULT_OPTIONS = ["--l1-size-gb", "2", "--eviction-policy", "LRU", "--supported-transfer-mode", "auto"]


def make_server(port: int, http_port: int, options: list[str]) -> CacheServer:
    """The server on these ports; options given replace the default ones of the same name."""
    return CacheServer(
        f"original-{port}",
        settings.LOGS / "original",
        *DEFAULT_OPTIONS,
        *("--shm-name", f"peers_{port}"),
        *options,
        command=[*settings.original_command(), "server"],
        port=port,
        http_port=http_port,
    )


def start(port: int, http_port: int, options: list[str]) -> int:
    server = make_server(port, http_port, options)
    server.start()
    server.process.release()
    print(f"{server.process.pid} {server.ready_seconds:.3f}", flush=True)
    return 0


def _gone(pid: int) -> bool:
    try:
        os.killpg(pid, 0)
    except ProcessLookupError:
        return True
    return False


def stop(pid: int) -> int:
    """Asks the group to end, and makes it end after 15 s."""
    for number, seconds in ((signal.SIGTERM, 15), (signal.SIGKILL, 5)):
        try:
            os.killpg(pid, number)
        except ProcessLookupError:
            return 0
        try:
            wait_for("the end", seconds, lambda: _gone(pid), pause=0.05)
            return 0
        except Late:
            continue
    return 1


def measure(command: list[str]) -> int:
    before = shared_memory.names()
    server = make_server(
        settings.free_port(), settings.free_port(), shlex.split(os.environ.get("LMCACHE_PEER_OPTIONS", ""))
    )
    try:
        began = time.monotonic()
        server.start()
        print(f"original ready after {time.monotonic() - began:.2f} s", file=sys.stderr, flush=True)
        environment = {
            **os.environ,
            "LMCACHE_PEER_PORT": str(server.port),
            "LMCACHE_PEER_HTTP_PORT": str(server.http_port),
            "LMCACHE_PEER_PID": str(server.process.pid),
            "LMCACHE_PEER_READY_SECONDS": f"{server.ready_seconds:.3f}",
        }
        return subprocess.run(command, env=environment, check=False).returncode
    finally:
        end_all()
        shared_memory.remove_leftovers(before, CacheServer.ports_used)


def main(arguments: list[str]) -> int:
    match arguments:
        case ["start", port, http_port, *options] if port.isdecimal() and http_port.isdecimal():
            return start(int(port), int(http_port), options)
        case ["stop", pid] if pid.isdecimal():
            return stop(int(pid))
        case ["measure", *command] if command:
            return measure(command)
        case _:
            print(__doc__, file=sys.stderr)
            return 2


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
