# lmcache · SPDX-License-Identifier: Apache-2.0
"""The KV layouts that CUDA engines register, and how torch finds one block in each."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch


@dataclass(frozen=True)
class Part:
    """Tensors of one shape: `count` of them, `block_axis` telling where the block number stands."""

    shape: tuple[int, ...]
    count: int
    dtype: torch.dtype
    block_axis: int
    # Slots of a block when the block axis counts slots.
    slots: int = 1


@dataclass(frozen=True)
class Layout:
    """One registration."""

    name: str
    engine: str
    parts: tuple[Part, ...]
    hints: dict[str, Any]
    groups: tuple[dict[str, Any], ...] = field(default=())
    tokens_per_block: int = 16
    # Block lists of one chunk: as many as kernel groups.
    lists: int = 1
    # Whether the block that stands for "nothing" is never written.
    has_null_block: bool = True


def views(tensor: torch.Tensor, part: Part) -> torch.Tensor:
    """The tensor with the block number as its first axis."""
    if part.slots > 1:
        tensor = tensor.view(-1, part.slots, *tensor.shape[1:])
    return tensor.movedim(part.block_axis, 0)


def allocate(part: Part, empty: Callable[[int], torch.Tensor]) -> list[torch.Tensor]:
    """The part's tensors."""
    size = math.prod(part.shape) * part.dtype.itemsize
    return [empty(size).view(part.dtype).view(part.shape) for _ in range(part.count)]


def all_layouts(blocks: int, layers: int = 4, heads: int = 4, size: int = 64, slots: int = 16) -> list[Layout]:
    """Every layout, with `blocks` blocks each."""
    bf16, fp8, half = torch.bfloat16, torch.float8_e4m3fn, torch.float16
    nhd, hnd = {"kv_layout": "NHD"}, {"kv_layout": "HND"}

    def vllm(name: str, shape: tuple[int, ...], hints: dict[str, Any], axis: int, dtype: torch.dtype = bf16) -> Layout:
        return Layout(name, "vllm", (Part(shape, layers, dtype, axis),), hints)

    two_shapes = Layout(
        "vllm two groups",
        "vllm",
        (Part((2, blocks, slots, heads, size), layers, bf16, 1), Part((blocks, slots, 576), 2, bf16, 0)),
        nhd,
        groups=(
            {"engine_group_id": 0, "layer_indices": list(range(layers)), "tokens_per_block": slots},
            {"engine_group_id": 1, "layer_indices": [layers, layers + 1], "tokens_per_block": slots},
        ),
        lists=2,
    )
    sglang = {"tokens_per_block": slots, "kv_list_layout": "k_v"}
    trtllm = {"num_kv_heads": heads, "tokens_per_block": slots, "head_dim": size}
    return [
        vllm("vllm NHD planes first", (2, blocks, slots, heads, size), nhd, 1),
        vllm("vllm NHD blocks first", (blocks, 2, slots, heads, size), nhd, 0),
        vllm("vllm HND planes first", (2, blocks, heads, slots, size), hnd, 1),
        vllm("vllm HND blocks first", (blocks, 2, heads, slots, size), hnd, 0, half),
        vllm("vllm NHD fp8", (blocks, 2, slots, heads, size), nhd, 0, fp8),
        vllm("vllm HND fp8", (blocks, 2, heads, slots, size), hnd, 0, fp8),
        vllm("vllm packed HND", (blocks, heads, slots, 2 * size), hnd, 0),
        vllm("vllm packed NHD", (blocks, slots, heads, 2 * size), nhd, 0),
        vllm("vllm MLA", (blocks, slots, 576), nhd, 0),
        vllm("vllm MLA fp8 odd", (blocks, slots, 577), nhd, 0, fp8),
        two_shapes,
        Layout("sglang k_v", "sglang", (Part((blocks * slots, heads, size), 2 * layers, bf16, 0, slots),), sglang),
        Layout(
            "sglang unified", "sglang", (Part((blocks, slots, heads, size), layers, bf16, 0),),
            {"kv_list_layout": "unified"},
        ),
        Layout(
            "trtllm pool", "trtllm", (Part((blocks, layers, 2, heads * slots * size), 1, half, 0),), trtllm,
            has_null_block=False,
        ),
    ]
