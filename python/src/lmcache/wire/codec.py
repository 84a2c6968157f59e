# lmcache · SPDX-License-Identifier: Apache-2.0
"""Requests to frames, frames to answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from lmcache.wire.errors import MalformedReplyError, RefusedError
from lmcache.wire.operations import decode_operation, decode_result, encode_operation
from lmcache.wire.tokens import encode_hook

_encode = msgspec.msgpack.Encoder(enc_hook=encode_hook).encode


class Reply(NamedTuple):
    """An answer whose value is not decoded yet."""

    uid: int
    operation: str
    value: bytes | None


def encode_request(uid: int, operation: str, payloads: Sequence[Any]) -> list[bytes]:
    """The frames of a request as a DEALER sends them."""
    return [_encode(uid), encode_operation(operation), *map(_encode, payloads)]


def encode_control(uid: int, word: bytes) -> list[bytes]:
    """The frames that control a stream: `ack` asks for another item, `cancel` ends it."""
    return [_encode(uid), b"", word]


def split_reply(frames: Sequence[bytes]) -> Reply | None:
    """The parts of an answer; none when it is not one."""
    if len(frames) < 2:
        return None
    try:
        uid = msgspec.msgpack.decode(frames[0], type=int)
        operation = decode_operation(frames[1])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return Reply(uid, operation, frames[2] if len(frames) > 2 else None)


def result_of(reply: Reply, operation: str) -> Any:
    """The value of an answer to `operation`. Raises `RefusedError` or `MalformedReplyError`."""
    if reply.operation != operation:
        raise RefusedError(f"{operation} was refused: {reply.operation}")
    try:
        return decode_result(operation, reply.value)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise MalformedReplyError(f"the answer to {operation} cannot be read: {error}") from error
