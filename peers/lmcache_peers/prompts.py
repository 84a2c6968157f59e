# lmcache · SPDX-License-Identifier: Apache-2.0
"""Prompts made of token ids, so that their lengths are exact."""

from __future__ import annotations

import random

FIRST_TOKEN = 300
LAST_TOKEN = 2000


def random_tokens(seed: int, count: int) -> list[int]:
    """`count` token ids, equal for equal seeds."""
    generator = random.Random(seed)
    return [generator.randint(FIRST_TOKEN, LAST_TOKEN) for _ in range(count)]


def whole_chunks(count: int, chunk: int) -> int:
    """The largest multiple of `chunk` tokens in `count`."""
    return count // chunk * chunk
