# lmcache · SPDX-License-Identifier: Apache-2.0
"""One load or store of a request, as the scheduler hands it to the workers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lmcache.wire.tokens import EncodedTokens


@dataclass
class LoadStoreOp:
    """Tokens `[start, end)` of a prompt and the blocks that hold them.

    `token_ids` starts at position 0 and may go on behind `end`. `block_ids` is one list per group of layers, or a flat
    list for a single group; entry i covers the i-th block from `start`. `skip_first_n_tokens` counts from `start`; a
    load does not write these tokens.
    """

    token_ids: EncodedTokens | list[int]
    block_ids: list[list[int]] | list[int]
    start: int = 0
    end: int = 0
    skip_first_n_tokens: int = 0

    @property
    def groups(self) -> list[list[int]]:
        """The block ids, always one list per group."""
        return as_groups(self.block_ids)

    def __len__(self) -> int:
        """How many blocks, over all groups."""
        return sum(map(len, self.groups))


def as_groups(block_ids: Sequence[Sequence[int]] | Sequence[int]) -> list[list[int]]:
    """Block ids as one list per group, whether flat or nested."""
    groups: list[list[int]] = []
    flat: list[int] = []
    for item in block_ids:
        if isinstance(item, int):
            flat.append(item)
        else:
            groups.append(list(item))
    return groups if groups else [flat]
