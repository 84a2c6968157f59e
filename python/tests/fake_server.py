# lmcache · SPDX-License-Identifier: Apache-2.0
"""A scripted server: answers as it is told, can be stopped, silenced and started again on its port."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import msgspec
import zmq

from lmcache.wire.operations import decode_operation

SILENCE = object()
"""An answer that is never sent."""

NO_VALUE = object()
"""An answer of two frames."""


class Refusal(str):
    """An answer with this text in place of the operation."""


Script = Callable[..., Any]


class FakeServer:
    """Runs in a thread. `script[operation]` is a value or a function of the payloads; the default is no value."""

    def __init__(self, script: dict[str, Any] | None = None, address: str = "tcp://127.0.0.1:*") -> None:
        self.script: dict[str, Any] = {"get_chunk_size": 16, "ping": True, "get_experimental": [], **(script or {})}
        self.requests: list[tuple[str, list[Any]]] = []
        self.uids: list[int] = []
        self._address = address
        self._context: zmq.Context[Any] | None = None
        self.start()

    @property
    def url(self) -> str:
        return self._address

    def start(self) -> None:
        self._context = zmq.Context()
        self._stop = threading.Event()
        socket = self._context.socket(zmq.ROUTER)
        socket.linger = 0
        socket.bind(self._address)
        self._address = socket.getsockopt_string(zmq.LAST_ENDPOINT)
        self._thread = threading.Thread(target=self._run, args=(socket,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()
        assert self._context is not None
        self._context.destroy(linger=0)

    def restart(self) -> None:
        self.stop()
        self.start()

    def names(self) -> list[str]:
        return [name for name, _ in self.requests]

    def of(self, operation: str) -> list[list[Any]]:
        return [payloads for name, payloads in list(self.requests) if name == operation]

    def _run(self, socket: zmq.Socket[bytes]) -> None:
        while not self._stop.is_set():
            if socket.poll(5):
                identity, uid, operation, *payloads = socket.recv_multipart()
                self.uids.append(msgspec.msgpack.decode(uid))
                values = [msgspec.msgpack.decode(payload) for payload in payloads]
                name = decode_operation(operation)
                answer = self.script.get(name, NO_VALUE)
                if callable(answer):
                    answer = answer(*values)
                self.requests.append((name, values))
                self._answer(socket, [identity, uid, operation], answer)
        socket.close(linger=0)

    @staticmethod
    def _answer(socket: zmq.Socket[bytes], head: list[bytes], answer: Any) -> None:
        if answer is SILENCE:
            return
        if isinstance(answer, Refusal):
            socket.send_multipart([head[0], head[1], msgspec.msgpack.encode(str(answer))])
        elif answer is NO_VALUE or answer is None:
            socket.send_multipart(head)
        else:
            socket.send_multipart([*head, msgspec.msgpack.encode(answer)])
