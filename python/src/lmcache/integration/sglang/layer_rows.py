# lmcache · SPDX-License-Identifier: Apache-2.0
"""Rows of SGLang's pools, one for each slot, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lmcache.transfer.layout import dtype_name

if TYPE_CHECKING:
    import torch


class LayerRows:
    """Keys and values, or only latent layers when there are no values. Tensors `[slots, heads, size]`.

    Raises `ValueError` unless all layers have one shape, element type and device.
    """

    def __init__(self, keys: Sequence[torch.Tensor], values: Sequence[torch.Tensor]) -> None:
        planes = [list(keys), list(values)] if values else [list(keys)]
        if not planes[0] or len({len(plane) for plane in planes}) != 1:
            raise ValueError(f"{len(keys)} layers of keys and {len(values)} of values; as many of both are needed")
        first = planes[0][0]
        kinds = {(tuple(layer.shape), layer.dtype, layer.device) for plane in planes for layer in plane}
        if len(kinds) != 1 or first.dim() < 2 or not all(layer.is_contiguous() for p in planes for layer in p):
            raise ValueError(f"layers of {len(kinds)} kinds; all must be contiguous tensors of one shape and type")
        self.dtype_name = dtype_name(first)
        self.device = first.device
        self.hidden = first[0].numel()
        self.slot_count = int(first.shape[0])
        self._rows = [[_as_rows(layer) for layer in plane] for plane in planes]
        self.dtype: torch.dtype = self._rows[0][0].dtype

    @property
    def plane_count(self) -> int:
        """2 with keys and values apart, else 1."""
        return len(self._rows)

    @property
    def layer_count(self) -> int:
        """Layers of one plane."""
        return len(self._rows[0])

    def checked(self, slots: torch.Tensor) -> torch.Tensor:
        """Slots as numbers on the pools' device. Raises `ValueError` for slots that the pools have not."""
        import torch

        numbers = slots.detach().to(dtype=torch.int64)
        if numbers.numel() and not 0 <= int(numbers.min()) <= int(numbers.max()) < self.slot_count:
            raise ValueError(f"slots {int(numbers.min())} to {int(numbers.max())} of {self.slot_count}")
        return numbers.to(self.device)

    def write(self, layer: int, slots: torch.Tensor, chunks: Sequence[torch.Tensor], skipped: int) -> None:
        """Puts one layer of chunks `[planes, layers, tokens, hidden]` into slots but for the first `skipped` tokens."""
        import torch

        for plane, tensors in enumerate(self._rows):
            parts = [chunk[plane, layer].to(self.device, non_blocking=True) for chunk in chunks]
            rows = parts[0] if len(parts) == 1 else torch.cat(parts)
            tensors[layer].index_copy_(0, slots, rows[skipped:])

    def read(self, layer: int, slots: torch.Tensor, chunks: Sequence[torch.Tensor]) -> None:
        """Fills one layer of chunks from slots, in order."""
        for plane, tensors in enumerate(self._rows):
            rows = tensors[layer].index_select(0, slots)
            for number, chunk in enumerate(chunks):
                tokens = chunk.shape[2]
                chunk[plane, layer].copy_(rows[number * tokens : (number + 1) * tokens], non_blocking=True)


def _as_rows(layer: torch.Tensor) -> torch.Tensor:
    import torch

    rows = layer.view(layer.shape[0], -1)
    # Not every device can index every element type of one byte.
    return rows.view(torch.uint8) if rows.dtype.itemsize == 1 else rows
