# lmcache · SPDX-License-Identifier: Apache-2.0
"""Layers whose tensors are not made of their group's blocks, seen as if they were.

Models with recurrent layers keep one state for a block, and their attention layers may page in smaller blocks than the
scheduler counts. All is moved as opaque blocks of the scheduler's size: a view over the same memory, never a copy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lmcache.integration.vllm.geometry import is_kind, leaf_of

if TYPE_CHECKING:
    import torch

_TOKENS_FIRST = ("NHD", "BLNHC")


def as_blocks(
    kv_cache_config: Any, kv_caches: Mapping[str, Any], layout_hints: Mapping[str, Any]
) -> dict[str, torch.Tensor]:
    """The caches with such layers replaced by views. Raises `ValueError` for a layer that cannot be seen so."""
    if kv_cache_config is None or not getattr(kv_cache_config, "has_mamba_layers", False):
        return dict(kv_caches)
    if any(_device_of(cache) == "cpu" for cache in kv_caches.values()):
        # The server would be shown the views, and the engine would go on with memory of its own.
        raise ValueError("models with recurrent layers cannot be cached from CPU memory")
    is_tokens_first = layout_hints.get("kv_layout") in _TOKENS_FIRST
    seen = dict(kv_caches)
    for group in kv_cache_config.kv_cache_groups:
        for name in group.layer_names:
            spec = leaf_of(group.kv_cache_spec, name)
            if name not in seen:
                continue
            try:
                seen[name] = _seen(spec, seen[name], is_tokens_first)
            except (RuntimeError, ValueError) as error:
                size = spec.block_size
                raise ValueError(f"layer {name} cannot be seen in blocks of {size} tokens: {error}") from error
    return seen


def _device_of(cache: Any) -> str:
    first = cache[0] if isinstance(cache, (list, tuple)) else cache
    return str(first.device.type)


def _seen(spec: Any, cache: Any, is_tokens_first: bool) -> torch.Tensor:
    if is_kind(spec, "MambaSpec"):
        # Older releases hand out the parts of a state; the first begins where the block does.
        first = cache[0] if isinstance(cache, (list, tuple)) else cache
        return state_blocks(first, int(spec.block_size), int(spec.page_size_bytes), is_tokens_first)
    tokens_axis = 2 if cache.dim() == 4 and not is_tokens_first else 1
    if cache.dim() == 5:
        tokens_axis = 2
    states = int(getattr(spec, "num_states", spec.block_size))
    if cache.shape[tokens_axis] in (states, spec.block_size):
        tensor: torch.Tensor = cache
        return tensor
    return whole_blocks(cache, states, int(spec.page_size_bytes), is_tokens_first)


def state_blocks(first: torch.Tensor, block_size: int, page_bytes: int, is_tokens_first: bool) -> torch.Tensor:
    """States, one for each block along axis 0, as blocks of `block_size` equal parts of up to `page_bytes` in all."""
    item = first.element_size()
    step = first.stride(0)
    row = step if first.dim() != 4 else first[0].numel()
    if first.dim() != 4 and step * item != page_bytes:
        raise ValueError(f"a state takes {step * item} bytes of a page of {page_bytes}")
    part = _part(-(-row // block_size), block_size, page_bytes, step, item)
    sizes, strides = (block_size, 1, part), (part, part, 1)
    if not is_tokens_first:
        sizes, strides = (1, block_size, part), (block_size * part, part, 1)
    return first.as_strided((first.shape[0], *sizes), (step, *strides), first.storage_offset())


def _part(least: int, block_size: int, page_bytes: int, step: int, item: int) -> int:
    """The elements of a part: at least `least`, of a width that copies well, all parts within the page."""
    for width in (16, 8, 4, 2, 1):
        if width % item and item % width:
            continue
        elements = max(1, width // item)
        part = -(-least // elements) * elements
        if part * block_size * item <= page_bytes and (step * item) % width == 0:
            return part
    raise ValueError(f"{least} elements in each of {block_size} parts do not fit into {page_bytes} bytes")


def whole_blocks(cache: torch.Tensor, states: int, page_bytes: int, is_tokens_first: bool) -> torch.Tensor:
    """Small pages in the order of memory as blocks of the scheduler's size."""
    order = sorted(range(cache.dim()), key=lambda axis: (-cache.stride(axis), cache.shape[axis] == 1))
    pages = cache.permute(order)
    if order[0] != 0 or not pages.is_contiguous():
        shape, strides = tuple(cache.shape), tuple(cache.stride())
        raise ValueError(f"shape {shape} with strides {strides} is not one page after another")
    small = pages[0].numel() * pages.element_size()
    if page_bytes % small or pages.shape[0] % (page_bytes // small):
        raise ValueError(f"{pages.shape[0]} pages of {small} bytes do not make blocks of {page_bytes} bytes")
    elements = page_bytes // pages.element_size()
    if elements % states:
        raise ValueError(f"{elements} elements are not the same for each of {states} tokens")
    sizes = (states, 1, elements // states) if is_tokens_first else (1, states, elements // states)
    return pages.reshape(-1).view(pages.shape[0] // (page_bytes // small), *sizes)
