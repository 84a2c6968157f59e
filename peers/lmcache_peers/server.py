# lmcache · SPDX-License-Identifier: Apache-2.0
"""The cache server under test."""

from __future__ import annotations

import pathlib
import re
import time
from typing import Any, ClassVar

import msgspec
import zmq

from lmcache_peers import settings, web
from lmcache_peers.processes import Process, wait_for

GET_CHUNK_SIZE = 21

_STORED = re.compile(r"Stored (\d+) tokens in")
_RETRIEVED = re.compile(r"Retrieved (\d+) tokens in")


def ask_chunk_size(port: int, seconds: float) -> int | None:
    """The chunk size as told by the request socket, or nil when nothing answers in time."""
    context = zmq.Context()
    try:
        client = context.socket(zmq.DEALER)
        client.linger = 0
        client.connect(f"tcp://{settings.LOCAL}:{port}")
        client.send_multipart([msgspec.msgpack.encode(0), msgspec.msgpack.encode(GET_CHUNK_SIZE)])
        if not client.poll(int(seconds * 1000)):
            return None
        return int(msgspec.msgpack.decode(client.recv_multipart()[2]))
    finally:
        context.destroy(linger=0)


class CacheServer:
    """One server on ports of its own; it can be killed and started again on the same ones."""

    ports_used: ClassVar[list[int]] = []
    """The request ports of all servers of this program."""

    def __init__(
        self,
        name: str,
        logs: pathlib.Path,
        *options: str,
        command: list[str] | None = None,
        port: int | None = None,
        http_port: int | None = None,
    ) -> None:
        self.port = port or settings.free_port()
        self.ports_used.append(self.port)
        self.http_port = http_port or settings.free_port()
        self.log = logs / f"{name}.log"
        self.ready_seconds = 0.0
        self._name = name
        self._command = [
            *(command or settings.server_command()),
            *("--host", settings.LOCAL, "--port", str(self.port), "--http-port", str(self.http_port)),
            *options,
        ]
        self._process: Process | None = None

    @property
    def url(self) -> str:
        return f"http://{settings.LOCAL}:{self.http_port}"

    @property
    def process(self) -> Process:
        assert self._process is not None, "the server was never started"
        return self._process

    def start(self, seconds: float = 60) -> None:
        """Starts it and waits until both the request socket and the HTTP side answer."""
        began = time.monotonic()
        self._process = Process(self._name, self._command, self.log, settings.child_environment())
        wait_for(f"{self._name} ready", seconds, self._is_ready, pause=0.02)
        self.ready_seconds = time.monotonic() - began

    def _is_ready(self) -> bool:
        if self.process.exit_status is not None:
            raise RuntimeError(f"{self._name} ended with {self.process.exit_status}:\n{self.process.text()[-2000:]}")
        return web.answers(f"{self.url}/healthcheck") and ask_chunk_size(self.port, 2) is not None

    def kill(self) -> None:
        self.process.end()

    def stop(self) -> int | None:
        return self.process.stop()

    def status(self) -> dict[str, Any]:
        return dict(web.get_json(f"{self.url}/status"))

    def memory(self) -> dict[str, Any]:
        """The part of the status that speaks of the pool in memory."""
        return dict(self.status()["storage_manager"]["l1_managers"]["_default"])

    def mark(self) -> int:
        return self.process.mark()

    def stored(self, since: int) -> list[int]:
        """The token counts of the stores logged since the mark."""
        return [int(count) for count in _STORED.findall(self.process.text(since))]

    def retrieved(self, since: int) -> list[int]:
        """The token counts of the retrieves logged since the mark."""
        return [int(count) for count in _RETRIEVED.findall(self.process.text(since))]
