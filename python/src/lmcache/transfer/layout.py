# lmcache · SPDX-License-Identifier: Apache-2.0
"""What the tensors of an engine's cache look like. Imports torch only when called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class LayerShape:
    """One layer: `planes` 2 when keys and values are apart, tokens in a block, elements of a token in one plane."""

    planes: int
    blocks: int
    tokens_per_block: int
    heads: int
    width: int

    @property
    def hidden(self) -> int:
        """Elements of one token in one plane."""
        return self.heads * self.width


def shape_of(tensor: torch.Tensor) -> LayerShape:
    """The shape of a vLLM layer: `[blocks, heads, tokens, keys and values]`, `[2, blocks, tokens, heads, size]`,
    `[blocks, 2, tokens, heads, size]` or `[blocks, tokens, size]`, in logical order. Raises `ValueError` otherwise.
    """
    sizes = tuple(tensor.shape)
    if len(sizes) == 4:
        return LayerShape(1, sizes[0], sizes[2], sizes[1], sizes[3])
    if len(sizes) == 5 and sizes[0] == 2:
        return LayerShape(2, sizes[1], sizes[2], sizes[3], sizes[4])
    if len(sizes) == 5 and sizes[1] == 2:
        return LayerShape(2, sizes[0], sizes[2], sizes[3], sizes[4])
    if len(sizes) == 3:
        return LayerShape(1, sizes[0], sizes[1], 1, sizes[2])
    raise ValueError(f"a layer's cache has shape {sizes}; known are 3, 4 and 5 axes as vLLM has them")


def dtype_name(tensor: torch.Tensor) -> str:
    """The element type without `torch.`."""
    return str(tensor.dtype).removeprefix("torch.")


def read_blocks(tensor: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    """The given blocks as `[planes, tokens, hidden]`, tokens in the order of the blocks."""
    shape = shape_of(tensor)
    rows = len(ids) * shape.tokens_per_block
    if tensor.dim() == 4:
        return tensor.index_select(0, ids).permute(0, 2, 1, 3).reshape(1, rows, shape.hidden)
    if tensor.dim() == 3:
        return tensor.index_select(0, ids).reshape(1, rows, shape.hidden)
    axis = 1 if tensor.shape[0] == 2 else 0
    chosen = tensor.index_select(axis, ids)
    return (chosen if axis == 1 else chosen.transpose(0, 1)).reshape(2, rows, shape.hidden)


def write_blocks(tensor: torch.Tensor, ids: torch.Tensor, rows: torch.Tensor) -> None:
    """Puts `[planes, tokens, hidden]` into the given blocks; the reverse of `read_blocks`."""
    shape = shape_of(tensor)
    count = len(ids)
    if tensor.dim() == 4:
        blocks = rows.view(count, shape.tokens_per_block, shape.heads, shape.width).permute(0, 2, 1, 3)
        tensor.index_copy_(0, ids, blocks)
    elif tensor.dim() == 3:
        tensor.index_copy_(0, ids, rows.view(count, shape.tokens_per_block, shape.width))
    else:
        axis = 1 if tensor.shape[0] == 2 else 0
        blocks = rows.view(2, count, shape.tokens_per_block, shape.heads, shape.width)
        tensor.index_copy_(axis, ids, blocks if axis == 1 else blocks.transpose(0, 1))


def physical_order(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor with its axes in the order in which they lie in memory, the widest stride first."""
    sizes, strides = tensor.shape, tensor.stride()
    order = sorted(range(tensor.dim()), key=lambda axis: (-strides[axis], sizes[axis] == 1))
    return tensor.permute(order)


def common_shape(tensors: Sequence[torch.Tensor]) -> LayerShape:
    """The shape that all layers have, whatever their number of blocks. Raises `ValueError` when they differ."""
    kinds = {(shape_of(t).planes, shape_of(t).tokens_per_block, shape_of(t).hidden, dtype_name(t)) for t in tensors}
    if len(kinds) != 1:
        raise ValueError(f"layers of {len(kinds)} kinds cannot be moved by the worker; use lmcache_driven")
    return shape_of(tensors[0])
