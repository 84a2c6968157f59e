# lmcache · SPDX-License-Identifier: Apache-2.0
"""The engine's pool: one tensor `[blocks, layers, keys and values, heads x tokens x head size]`."""

from __future__ import annotations

import json
import os
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
        config = _model_config(model_name)
        config = config.get("text_config") or config
        size = int(config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"])
        return size if size >= 1 else None
    except Exception:
        return None


def _model_config(model_name: str) -> dict[str, Any]:
    """The configuration beside the model's weights, which the engine has fetched by now; the network is left alone."""
    if os.path.isdir(model_name):
        with open(os.path.join(model_name, "config.json"), encoding="utf-8") as file:
            found: dict[str, Any] = json.load(file)
            return found
    from transformers import AutoConfig

    found = AutoConfig.from_pretrained(model_name, local_files_only=True).to_dict()
    return found
