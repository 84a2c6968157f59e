# lmcache · SPDX-License-Identifier: Apache-2.0
"""Keys and values that can be told from the text, so that a wrong byte is found wherever it lies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

_MODULUS = 1_000_003


def prefix_numbers(tokens: Sequence[int]) -> torch.Tensor:
    """A number for each position that depends on every token up to it."""
    number, numbers = 17, []
    for token in tokens:
        number = (number * 31_337 + int(token) + 1) % _MODULUS
        numbers.append(number)
    return torch.tensor(numbers, dtype=torch.int64)


def rows(numbers: torch.Tensor, plane: int, like: torch.Tensor) -> torch.Tensor:
    """What a layer, or one plane of it, holds for these positions: `[positions, ...]` as in `like`."""
    width = like[0].numel()
    mixed = (numbers[:, None] * (2 * plane + 3) + torch.arange(width) * 101) % 251
    return mixed.view(len(numbers), *like.shape[1:]).to(like.dtype)


class FilledPool:
    """The tensors of a pool, by slots."""

    def __init__(self, tensors: Sequence[torch.Tensor]) -> None:
        self._tensors = list(tensors)

    def compute(self, tokens: Sequence[int], slots: torch.Tensor, first: int) -> None:
        """As an engine would: fills the slots of positions `first` on."""
        numbers = prefix_numbers(tokens)[first:]
        for plane, tensor in enumerate(self._tensors):
            tensor[slots] = rows(numbers, plane, tensor)

    def wrong(self, tokens: Sequence[int], slots: torch.Tensor, first: int = 0) -> int:
        """How many positions from `first` on do not hold what the text says."""
        numbers, slots = prefix_numbers(tokens)[first : len(slots)], slots[first:]
        bad = torch.zeros(len(slots), dtype=torch.bool)
        for plane, tensor in enumerate(self._tensors):
            bad |= (tensor[slots] != rows(numbers, plane, tensor)).flatten(1).any(dim=1)
        return int(bad.sum())

    def spoil(self) -> None:
        """Overwrites everything, slot 0 as well."""
        for tensor in self._tensors:
            tensor.fill_(77)


def tensors_of(pool: Any) -> list[torch.Tensor]:
    """A pool's layers."""
    latent = getattr(pool, "kv_buffer", None)
    return list(latent) if latent is not None else [*pool.k_buffer, *pool.v_buffer]
