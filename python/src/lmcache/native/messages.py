# lmcache · SPDX-License-Identifier: Apache-2.0
"""Frames of the protocol in one buffer, as lmcache.h describes."""

from __future__ import annotations

import struct
from collections.abc import Sequence

_NUMBER = struct.Struct("<I")


def join_frames(frames: Sequence[bytes]) -> bytes:
    """A request: the operation's frame, then one for each argument."""
    parts = [_NUMBER.pack(len(frames))]
    for frame in frames:
        parts.append(_NUMBER.pack(len(frame)))
        parts.append(frame)
    return b"".join(parts)


def split_frames(buffer: bytes) -> list[bytes]:
    """The frames of a reply."""
    (count,) = _NUMBER.unpack_from(buffer)
    frames, position = [], 4
    for _ in range(count):
        (length,) = _NUMBER.unpack_from(buffer, position)
        position += 4
        frames.append(buffer[position : position + length])
        position += length
    return frames
