# lmcache · SPDX-License-Identifier: Apache-2.0
"""The server itself, where it was built: LMCACHE_SERVER_COMMAND, or the checkout's build folders."""

from __future__ import annotations

import json
import os
import secrets
import shlex
import socket
import subprocess
import tempfile
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from waiting import eventually

CHUNK = 16


def command() -> list[str]:
    """How to start it; skips the test where there is none."""
    given = os.environ.get("LMCACHE_SERVER_COMMAND")
    if given:
        words = shlex.split(given)
        return words if words[-1] == "server" else [*words, "server"]
    top = Path(__file__).parents[2]
    for mode in ("release", "debug"):
        program = top / ".build" / mode / "lmcache"
        if program.exists():
            return [str(program), "server"]
    pytest.skip("no server was built, and LMCACHE_SERVER_COMMAND names none")


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class RealServer:
    """One server process on ports of its own, with chunks of 16 tokens unless told otherwise; can be killed and started again."""

    def __init__(
        self, *options: str, shares_memory: bool = True, l1_gigabytes: str = "0.0625", chunk_size: int = CHUNK
    ) -> None:
        self.port, self.http_port = free_port(), free_port()
        self.url = f"tcp://127.0.0.1:{self.port}"
        name = f"test_{os.getpid()}_{secrets.token_hex(3)}"
        self._command = [
            *command(),
            *("--port", str(self.port), "--http-port", str(self.http_port), "--chunk-size", str(chunk_size)),
            *("--l1-size-gb", l1_gigabytes, "--eviction-policy", "LRU", "--supported-transfer-mode", "auto"),
            *(("--shm-name", name) if shares_memory else ()),
            *options,
        ]
        self._log = tempfile.TemporaryFile()
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=self._log, stderr=self._log)
        eventually(self._is_ready, 20)

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        assert self._process is not None
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()

    def status(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}/status", timeout=5) as answer:
            value: dict[str, Any] = json.load(answer)
            return value

    def output(self) -> str:
        self._log.seek(0)
        return self._log.read().decode(errors="replace")

    def _is_ready(self) -> bool:
        assert self._process is not None and self._process.poll() is None, self.output()
        try:
            return bool(self.status())
        except OSError:
            return False


def leases(server: RealServer) -> int:
    """What requests still hold."""
    status = server.status()
    pool = status["storage_manager"]["l1_manager"]
    count: int = pool["read_locked_count"] + pool["write_locked_count"] + pool["staging_object_count"]
    return count + int(status["active_prefetch_jobs"])
