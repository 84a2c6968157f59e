# lmcache · SPDX-License-Identifier: Apache-2.0
"""A client that sends whatever frames it is told to."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import msgspec
import zmq

from lmcache_peers import settings

# The integers that stand for operations; the others go by their names only.
OPERATIONS = {
    "register_kv_cache": 1,
    "unregister_kv_cache": 2,
    "register_q_cache": 3,
    "unregister_q_cache": 4,
    "store_q": 5,
    "store": 6,
    "retrieve": 7,
    "lookup": 8,
    "query_prefetch_status": 9,
    "wait_prefetch_status": 10,
    "free_lookup_locks": 12,
    "end_session": 13,
    "register_kv_cache_engine_driven_context": 14,
    "unregister_kv_cache_engine_driven_context": 15,
    "prepare_store": 16,
    "commit_store": 17,
    "prepare_retrieve": 18,
    "commit_retrieve": 19,
    "clear": 20,
    "get_chunk_size": 21,
    "ping": 22,
    "report_block_allocation": 23,
    "noop": 24,
    "cb_register_rope": 25,
    "cb_unregister_rope": 26,
    "cb_retrieve_pre_computed": 27,
    "cb_unified_lookup": 28,
    "p2p_lookup_and_lock": 29,
    "p2p_query_lookup_results": 30,
    "p2p_unlock_objects": 31,
    "get_experimental": 32,
    "cb_protocol_handshake": 33,
}

encode = msgspec.msgpack.encode
decode = msgspec.msgpack.decode

_contexts: list[zmq.Context[Any]] = []


class NoReply(Exception):
    """The server did not answer in time."""


@dataclass(frozen=True)
class Reply:
    """An answer: the operation frame, and the value frame if there was one."""

    uid: bytes
    operation: bytes
    value_frame: bytes | None

    @property
    def value(self) -> Any:
        return None if self.value_frame is None else decode(self.value_frame)

    @property
    def refusal(self) -> str | None:
        """The text of a refusal, which comes in place of the operation's name."""
        try:
            name = decode(self.operation)
        except msgspec.DecodeError:
            return None
        return name if isinstance(name, str) and name.startswith("error") else None

    def __str__(self) -> str:
        if self.refusal is not None:
            return f"refusal {self.refusal!r}"
        return "no value" if self.value_frame is None else f"{self.value!r}"[:200]


def operation_frame(name: str) -> bytes:
    return encode(OPERATIONS.get(name, name))


class RawClient:
    """One connection. Answers are matched by their uid; those of earlier requests are dropped."""

    def __init__(self, port: int, seconds: float = 3.0) -> None:
        self.seconds = seconds
        if not _contexts:
            _contexts.append(zmq.Context())
        self._socket = _contexts[0].socket(zmq.DEALER)
        self._socket.linger = 0
        self._socket.connect(f"tcp://{settings.LOCAL}:{port}")
        self._uids = itertools.count()

    def __enter__(self) -> RawClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def send(self, frames: list[bytes]) -> None:
        """Sends the frames as they are."""
        self._socket.send_multipart(frames)

    def receive(self, seconds: float | None = None) -> list[bytes] | None:
        """The frames of the next message, or nil after `seconds`."""
        if not self._socket.poll(int((self.seconds if seconds is None else seconds) * 1000)):
            return None
        return list(self._socket.recv_multipart())

    def submit(self, operation: str | bytes, payloads: list[bytes], uid: bytes | None = None) -> bytes:
        """Sends a request of encoded payloads and returns its uid."""
        uid = encode(next(self._uids)) if uid is None else uid
        frame = operation if isinstance(operation, bytes) else operation_frame(operation)
        self.send([uid, frame, *payloads])
        return uid

    def next_reply(self, uid: bytes, seconds: float | None = None) -> Reply:
        """The next answer with this uid."""
        while True:
            frames = self.receive(seconds)
            if frames is None:
                raise NoReply("no reply")
            if frames[0] == uid:
                return Reply(uid, frames[1] if len(frames) > 1 else b"", frames[2] if len(frames) > 2 else None)

    def call_raw(self, operation: str | bytes, payloads: list[bytes], uid: bytes | None = None) -> Reply:
        return self.next_reply(self.submit(operation, payloads, uid))

    def call(self, operation: str, *values: Any) -> Reply:
        """Encodes the values, one a frame, and waits for the answer."""
        return self.call_raw(operation, [encode(value) for value in values])

    def answers(self) -> bool:
        """Whether the server still answers a simple request on this connection."""
        try:
            return isinstance(self.call("get_chunk_size").value, int)
        except NoReply:
            return False
