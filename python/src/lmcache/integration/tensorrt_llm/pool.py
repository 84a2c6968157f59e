# lmcache · SPDX-License-Identifier: Apache-2.0
"""The engine's pool: one tensor `[blocks, layers, keys and values, heads x tokens x head size]`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def layout_hints(pool: torch.Tensor, block_size: int, model_name: str) -> dict[str, Any]:
    """How a block's elements are arranged. Raises `ValueError` for a pool that is none of the known kind.

    Without the model's configuration the heads count as one wide head: the same bytes travel, and namespaces of both
    kinds are separate.
    """
    sizes = tuple(pool.shape)
    if len(sizes) != 4 or sizes[2] != 2 or sizes[3] % block_size or not pool.is_contiguous():
        raise ValueError(
            f"the KV pool has shape {sizes}; it must be a contiguous [blocks, layers, 2, n x {block_size} tokens]"
            " (models with latent attention have one plane and cannot be cached)"
        )
    row = sizes[3] // block_size
    head_size = _head_size(model_name)
    if head_size is None or row % head_size:
        head_size = row
    return {
        "kv_layout": "HND",
        "num_kv_heads": row // head_size,
        "tokens_per_block": block_size,
        "head_dim": head_size,
    }


def _head_size(model_name: str) -> int | None:
    try:
        from transformers import AutoConfig

        config = AutoConfig.from_pretrained(model_name)
        config = getattr(config, "text_config", None) or config
        size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        return int(size) if size >= 1 else None
    except Exception:
        return None
