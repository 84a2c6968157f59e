# lmcache · SPDX-License-Identifier: Apache-2.0
"""The tokens of a prompt, encoded once for every message that names them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

_encode = msgspec.msgpack.Encoder().encode


class EncodedTokens:
    """Tokens from position 0, as the array that travels. Encoded when the first message leaves, on the thread that
    sends it; crosses processes as bytes.

    A list of 32,000 numbers takes a millisecond to pickle and a third of one to encode; bytes take none.
    """

    __slots__ = ("_message", "_tokens", "count")

    def __init__(self, tokens: list[int]) -> None:
        """Takes the tokens that the list has now. They must stay as they are; others may be added behind them."""
        self.count = len(tokens)
        self._tokens: list[int] | None = tokens
        self._message: bytes | None = None

    @property
    def message(self) -> bytes:
        """The encoded array."""
        message = self._message
        if message is None:
            tokens = self._tokens
            if tokens is None:
                # Another thread was faster.
                return self._message or b""
            message = _encode(tokens if len(tokens) == self.count else tokens[: self.count])
            self._message = message
            self._tokens = None
        return message

    @property
    def raw(self) -> msgspec.Raw:
        """The encoded array, to be a part of a message."""
        return msgspec.Raw(self.message)

    def extended(self, more: list[int]) -> EncodedTokens:
        """These tokens and those behind them."""
        count = self.count + len(more)
        old, new = memoryview(self.message), memoryview(_encode(more))
        parts = (_header(count), old[len(_header(self.count)) :], new[len(_header(len(more))) :])
        return _restored(count, b"".join(parts))

    def to_list(self) -> list[int]:
        """The tokens as numbers."""
        return msgspec.msgpack.decode(self.message, type=list[int])

    def __iter__(self) -> Iterator[int]:
        return iter(self.to_list())

    def __len__(self) -> int:
        return self.count

    def __eq__(self, other: object) -> bool:
        return isinstance(other, EncodedTokens) and self.message == other.message

    def __hash__(self) -> int:
        return hash(self.message)

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self.count, self.message)


def _restored(count: int, message: bytes) -> EncodedTokens:
    result = EncodedTokens.__new__(EncodedTokens)
    result.count, result._tokens, result._message = count, None, message
    return result


def _header(count: int) -> bytes:
    """The first bytes of an encoded array."""
    if count < 16:
        return bytes([0x90 | count])
    return b"\xdc" + count.to_bytes(2, "big") if count < 1 << 16 else b"\xdd" + count.to_bytes(4, "big")


def as_payload(tokens: EncodedTokens | Sequence[int]) -> EncodedTokens | list[int]:
    """The tokens as a field of a message."""
    return tokens if isinstance(tokens, EncodedTokens) else list(tokens)


def encode_hook(value: Any) -> Any:
    """For encoders of messages that may hold tokens."""
    if isinstance(value, EncodedTokens):
        return value.raw
    raise NotImplementedError(f"{type(value).__name__} cannot be encoded")
