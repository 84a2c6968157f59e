# lmcache · SPDX-License-Identifier: Apache-2.0
"""SGLang's pools as groups of tensors with block ids of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lmcache.transfer.layout import dtype_name
from lmcache.wire.types import EngineGroupInfo

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class ComponentGroup:
    """Tensors that one kind of block id addresses.

    One block id stands for `tokens_per_block` tokens and for `slots_per_block` of SGLang's slots. `rows_per_block` has
    for each tensor how many of its rows belong to a block. `window` in tokens, -1 for full attention; `is_recurrent`
    for state of which only the last one matters.
    """

    name: str
    tensors: tuple[torch.Tensor, ...]
    tokens_per_block: int
    slots_per_block: int
    rows_per_block: tuple[int, ...]
    window: int = -1
    is_recurrent: bool = False

    def __post_init__(self) -> None:
        if not self.tensors or len(self.tensors) != len(self.rows_per_block):
            raise ValueError(
                f"group {self.name} has {len(self.tensors)} tensors; it needs one at least, each with rows"
            )
        if self.tokens_per_block < 1 or self.slots_per_block < 1 or self.tokens_per_block % self.slots_per_block:
            raise ValueError(
                f"group {self.name}: {self.tokens_per_block} tokens a block must be a multiple of"
                f" {self.slots_per_block} slots a block"
            )
        for tensor, rows in zip(self.tensors, self.rows_per_block, strict=True):
            if tensor.dim() < 2 or rows < 1 or tensor.shape[0] % rows:
                raise ValueError(
                    f"group {self.name}: a tensor of shape {tuple(tensor.shape)} is not made of blocks of {rows} rows"
                )
            if not tensor.is_contiguous():
                raise NotImplementedError(f"group {self.name}: only contiguous pools can be cached")
        counts = {tensor.shape[0] // rows for tensor, rows in zip(self.tensors, self.rows_per_block, strict=True)}
        if len(counts) != 1:
            raise ValueError(f"group {self.name}: its tensors have different numbers of blocks: {sorted(counts)}")

    @property
    def block_count(self) -> int:
        """Blocks of every tensor."""
        return int(self.tensors[0].shape[0]) // self.rows_per_block[0]

    def views(self, is_latent: bool) -> list[torch.Tensor]:
        """The tensors by blocks: `[blocks, slots, heads, size]`, with `is_latent` `[blocks, slots, size]`; pages whose
        inside nobody needs to know `[blocks, 1, 1, elements]`.
        """
        return [
            self._view(tensor, rows, is_latent) for tensor, rows in zip(self.tensors, self.rows_per_block, strict=True)
        ]

    def _view(self, tensor: torch.Tensor, rows: int, is_latent: bool) -> torch.Tensor:
        blocks = tensor.shape[0] // rows
        if self.is_recurrent or tensor.dim() != 3:
            return tensor.view(blocks, 1, 1, -1)
        return tensor.view(blocks, rows, -1) if is_latent else tensor.view(blocks, rows, *tensor.shape[1:])

    def covered_tokens(self, slots: torch.Tensor) -> int:
        """Tokens that as many slots stand for."""
        return int(slots.numel()) * self.tokens_per_block // self.slots_per_block

    def slots_of(self, tokens: int) -> int:
        """Slots that stand for a number of tokens."""
        return tokens * self.slots_per_block // self.tokens_per_block

    def block_ids(self, slots: torch.Tensor) -> list[int]:
        """The blocks of slots that come in whole, ordered blocks; slots that are all 0 give block 0, the placeholder.

        Raises `ValueError` for other slots and for blocks that the pool has not.
        """
        return block_ids(slots, self.slots_per_block, self.block_count, self.name)

    def is_storable(self, blocks: Sequence[int], chunk_size: int) -> bool:
        """Whether the blocks of whole chunks hold real data wherever the server keeps it.

        Block 0 holds nothing. A group with full attention must not have it; a windowed one may lack whole chunks, but
        not parts of what is kept of a chunk.
        """
        if self.is_recurrent:
            return True
        if self.window < 0:
            return 0 not in blocks
        per_chunk = chunk_size // self.tokens_per_block
        kept = min(chunk_size, self.window) // self.tokens_per_block
        if kept < 1:
            return False
        chunks = [blocks[first : first + per_chunk][-kept:] for first in range(0, len(blocks), per_chunk)]
        return not any(any(chunk) and 0 in chunk for chunk in chunks)


def block_ids(slots: torch.Tensor, slots_per_block: int, block_count: int, name: str) -> list[int]:
    """See `ComponentGroup.block_ids`."""
    import torch

    if slots.numel() % slots_per_block:
        raise ValueError(f"{slots.numel()} slots of {name} are no whole number of blocks of {slots_per_block}")
    pages = slots.detach().to(dtype=torch.int64, device="cpu").reshape(-1, slots_per_block)
    starts = pages[:, 0]
    expected = starts[:, None] + torch.arange(slots_per_block, dtype=torch.int64)
    is_whole = ((pages == expected).all(dim=1) & (starts % slots_per_block == 0)) | (pages == 0).all(dim=1)
    if not bool(is_whole.all()):
        raise ValueError(f"slots of {name} do not cover whole blocks of {slots_per_block} in order")
    ids = starts // slots_per_block
    if ids.numel() and not 0 <= int(ids.min()) <= int(ids.max()) < block_count:
        raise ValueError(f"blocks {int(ids.min())} to {int(ids.max())} of {name}, which has {block_count}")
    return [int(number) for number in ids.tolist()]


def group_infos(groups: Sequence[ComponentGroup], views: Sequence[Sequence[torch.Tensor]]) -> list[EngineGroupInfo]:
    """Tensors of the same geometry together, as the server buckets them; in the order of their first tensor."""
    infos: list[EngineGroupInfo] = []
    first = 0
    for number, (group, tensors) in enumerate(zip(groups, views, strict=True)):
        buckets: dict[tuple[object, ...], list[int]] = {}
        for index, tensor in enumerate(tensors):
            buckets.setdefault((*tensor.shape[1:], dtype_name(tensor)), []).append(first + index)
        infos += [
            EngineGroupInfo(number, layers, group.tokens_per_block, group.window, recurrent_state=group.is_recurrent)
            for layers in buckets.values()
        ]
        first += len(tensors)
    return infos
