# lmcache · SPDX-License-Identifier: Apache-2.0
"""The tokens of a prompt, encoded once for every message that names them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

_encode = msgspec.msgpack.Encoder().encode


class EncodedTokens:
    """Tokens from position 0, as the array that travels. Immutable; crosses processes as bytes.

    A list of 32,000 numbers takes a millisecond to pickle and half of one to encode; bytes take none.
    """

    __slots__ = ("_message", "count")

    def __init__(self, tokens: list[int]) -> None:
        self.count = len(tokens)
        self._message: bytes = _encode(tokens)

    @property
    def raw(self) -> msgspec.Raw:
        """The encoded array, to be a part of a message."""
        return msgspec.Raw(self._message)

    def extended(self, more: list[int]) -> EncodedTokens:
        """These tokens and those behind them."""
        count = self.count + len(more)
        old, new = memoryview(self._message), memoryview(_encode(more))
        parts = (_header(count), old[len(_header(self.count)) :], new[len(_header(len(more))) :])
        return _restored(count, b"".join(parts))

    def to_list(self) -> list[int]:
        """The tokens as numbers."""
        return msgspec.msgpack.decode(self._message, type=list[int])

    def __iter__(self) -> Iterator[int]:
        return iter(self.to_list())

    def __len__(self) -> int:
        return self.count

    def __eq__(self, other: object) -> bool:
        return isinstance(other, EncodedTokens) and self._message == other._message

    def __hash__(self) -> int:
        return hash(self._message)

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self.count, self._message)


def _restored(count: int, message: bytes) -> EncodedTokens:
    result = EncodedTokens.__new__(EncodedTokens)
    result.count, result._message = count, message
    return result


def _header(count: int) -> bytes:
    """The first bytes of an encoded array."""
    if count < 16:
        return bytes([0x90 | count])
    return b"\xdc" + count.to_bytes(2, "big") if count < 1 << 16 else b"\xdd" + count.to_bytes(4, "big")


def as_payload(tokens: EncodedTokens | Sequence[int]) -> Any:
    """The tokens as a field of a message."""
    return tokens.raw if isinstance(tokens, EncodedTokens) else list(tokens)
