# lmcache · SPDX-License-Identifier: Apache-2.0
"""The content of blocks: each piece says what it is, so that a wrong, mixed or torn one shows itself."""

from __future__ import annotations

import struct
import threading

_PIECE = struct.Struct("<IHHIIIIQ")
"""Prompt, chunk, block in the chunk, plane, writer, sequence number of the store, round of the piece, constant."""
_SEAL = 0x6C6D63616368653F


def fill(size: int, prompt: int, chunk: int, block: int, plane: int, writer: int, sequence: int) -> bytes:
    """`size` bytes (a multiple of 32) of one block in one plane."""
    return b"".join(
        _PIECE.pack(prompt, chunk, block, plane, writer, sequence, index, _SEAL)
        for index in range(size // _PIECE.size)
    )


class History:
    """Which stores were ever begun: a load may bring back any of them, whole, and nothing else."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._begun: set[tuple[int, int, int]] = set()

    def begin(self, prompt: int, writer: int, sequence: int) -> None:
        with self._lock:
            self._begun.add((prompt, writer, sequence))

    def problem(self, pieces: list[bytes], prompt: int, chunk: int, planes: int) -> str | None:
        """What is wrong with the blocks of one chunk, given block by block and plane by plane; nil when nothing is."""
        origin: tuple[int, int] | None = None
        for position, data in enumerate(pieces):
            block, plane = divmod(position, planes)
            head = _PIECE.unpack_from(data)
            if head[7] != _SEAL:
                return f"chunk {chunk} block {block} plane {plane} is no stored block: {data[:32].hex()}"
            if head[:4] != (prompt, chunk, block, plane):
                return f"prompt {prompt} chunk {chunk} block {block} plane {plane} holds {head[:4]}"
            origin = origin or (head[4], head[5])
            if origin != (head[4], head[5]):
                return f"chunk {chunk} mixes the stores {origin} and {head[4:6]}"
            if data != fill(len(data), prompt, chunk, block, plane, *origin):
                return f"chunk {chunk} block {block} plane {plane} of store {origin} is torn"
        with self._lock:
            known = origin is not None and (prompt, *origin) in self._begun
        return None if known else f"chunk {chunk} comes from a store {origin} that never began"
