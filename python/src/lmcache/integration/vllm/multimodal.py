# lmcache · SPDX-License-Identifier: Apache-2.0
"""Tokens that stand for images and the like."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

_MASK = 0x7FFFFFFF


def tokens_for(identifier: str, length: int) -> list[int]:
    """`length` numbers of 31 bits that depend on the item: blocks `SHA-256(SHA-256(identifier) ‖ u64be counter)`."""
    seed = hashlib.sha256(identifier.encode()).digest()
    numbers: list[int] = []
    counter = 0
    while len(numbers) < length:
        block = hashlib.sha256(seed + counter.to_bytes(8, "big")).digest()
        numbers += [int.from_bytes(block[at : at + 4], "big") & _MASK for at in range(0, 32, 4)]
        counter += 1
    return numbers[:length]


def substituted(tokens: list[int], features: Iterable[Any]) -> list[int]:
    """The tokens with every placeholder replaced, because placeholders of different items are the same."""
    result = list(tokens)
    for feature in features:
        position = feature.mm_position
        end = min(len(result), position.offset + position.length)
        if position.offset < end:
            result[position.offset : end] = tokens_for(str(feature.identifier), end - position.offset)
    return result
