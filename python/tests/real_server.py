# lmcache · SPDX-License-Identifier: Apache-2.0
"""The server itself, for tests that need its data path; skipped where it was not built."""

from __future__ import annotations

import os
import pathlib
import secrets
import shlex
import signal
import socket
import subprocess

import pytest

from lmcache.wire.client import WireClient

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]


def server_command() -> list[str]:
    """How to start the server: LMCACHE_SERVER_COMMAND, else a build of this checkout. Skips the test without either."""
    if command := os.environ.get("LMCACHE_SERVER_COMMAND"):
        return shlex.split(command)
    for kind in ("release", "debug"):
        program = CHECKOUT / ".build" / kind / "lmcache"
        if program.exists():
            return [str(program), "server"]
    pytest.skip("no server: set LMCACHE_SERVER_COMMAND, or build the program")


class RealServer:
    """One server process on a port of its own."""

    def __init__(self, chunk_size: int, *options: str) -> None:
        self._command = server_command()
        self.port, http_port = _free_port(), _free_port()
        self._options = [
            *("--l1-size-gb", "0.05", "--eviction-policy", "LRU", "--chunk-size", str(chunk_size)),
            *("--port", str(self.port), "--http-port", str(http_port), "--supported-transfer-mode", "auto"),
            *("--shm-name", f"pytest{secrets.token_hex(4)}", *options),
        ]
        self.start()

    @property
    def url(self) -> str:
        """Its address."""
        return f"tcp://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Starts it and waits until it answers."""
        self._process = subprocess.Popen(
            [*self._command, *self._options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        client = WireClient(self.url)
        try:
            client.call("noop", timeout=20)
        finally:
            client.close()

    def signal(self, number: signal.Signals) -> None:
        """Sends it a signal."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """Ends it at once."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """Ends it."""
        self._process.send_signal(signal.SIGCONT)
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


