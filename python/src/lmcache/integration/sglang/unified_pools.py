# lmcache · SPDX-License-Identifier: Apache-2.0
"""SGLang's unified radix cache: its pools as groups, and its slots as each group's own.

Imports SGLang, which is there when this is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lmcache.integration.sglang.component_group import ComponentGroup

if TYPE_CHECKING:
    import torch

_RECURRENT_CURSORS = ("replayssm_write_pos", "replayssm_cache_base", "replayssm_is_flush")


class UnifiedPools:
    """The pools behind one radix tree.

    Raises `ValueError` for components that SGLang's tree does not have, `NotImplementedError` for pools that cannot be
    cached.
    """

    def __init__(
        self,
        *,
        allocator: Any,
        req_to_token_pool: Any,
        components: Sequence[Any],
        mamba_component: Any,
        page_size: int,
        sliding_window: int | None,
    ) -> None:
        self._allocator = allocator
        self._requests = req_to_token_pool
        self._names = [str(component.name) for component in components]
        self._mamba = mamba_component
        self._page_size = page_size
        self._sliding_window = sliding_window
        if not self._names or self._names[0] != "FULL":
            raise ValueError(f"the tree's components are {self._names}; the first must be FULL")
        for name in self._names:
            if name not in ("FULL", "SWA", "MAMBA"):
                raise NotImplementedError(f"component {name} cannot be cached; known are FULL, SWA and MAMBA")

    def groups(self) -> list[ComponentGroup]:
        """One group for each component."""
        pool = self._allocator.get_kvcache()
        if type(pool).__name__ == "DeepSeekV4TokenToKVPool":
            raise NotImplementedError("the compressed pools of DeepSeek V4 cannot be cached")
        makers = {"FULL": self._full_group, "SWA": self._window_group, "MAMBA": self._recurrent_group}
        return [makers[name](pool) for name in self._names]

    def aligned_window(self) -> int:
        """The sliding window in tokens, up to whole pages; 0 without one."""
        window = self._sliding_window or 0
        return -(-window // self._page_size) * self._page_size

    def indices_by_group(
        self, full_indices: torch.Tensor, mamba_value: torch.Tensor | None, mamba_tokens: int | None
    ) -> list[torch.Tensor]:
        """The tree's slots in each group's own numbering. Of recurrent state only the last checkpoint has a slot.

        Raises `ValueError` for tokens that are no whole number of checkpoints.
        """
        found: list[torch.Tensor] = []
        for name in self._names:
            if name == "FULL":
                found.append(self._allocator.translate_kv_indices_for_transfer(full_indices))
            elif name == "SWA":
                found.append(self._allocator.translate_loc_from_full_to_swa(full_indices))
            else:
                tokens = len(full_indices) if mamba_tokens is None else mamba_tokens
                found.append(self._checkpoints(full_indices, mamba_value, tokens))
        return found

    def reset_recurrent_cursors(self, indices: torch.Tensor) -> None:
        """Sets what SGLang keeps beside its recurrent state, and the cache does not, back to the beginning."""
        for name in _RECURRENT_CURSORS:
            cursor = getattr(self._requests.mamba_pool, name, None)
            if cursor is not None:
                cursor[indices] = 0

    def _checkpoints(self, like: torch.Tensor, value: torch.Tensor | None, tokens: int) -> torch.Tensor:
        grid = int(self._mamba.mamba_checkpoint_grid)
        if tokens % grid:
            raise ValueError(f"{tokens} tokens are no whole number of checkpoints of {grid}")
        slots = like.new_zeros(tokens // grid).long()
        if value is not None and slots.numel():
            physical = self._requests.translate_mamba_indices(value.view(-1))
            if physical.numel() != 1:
                raise ValueError(f"a checkpoint has one slot of recurrent state, not {physical.numel()}")
            slots[-1] = physical[0]
        return slots

    def _full_group(self, pool: Any) -> ComponentGroup:
        pool = getattr(pool, "full_kv_pool", pool)
        tensors = _tensors_of(pool)
        indexers = _indexers_of(pool)
        rows = (self._page_size,) * len(tensors) + (1,) * len(indexers)
        return ComponentGroup("full", tensors + indexers, self._page_size, self._page_size, rows)

    def _window_group(self, pool: Any) -> ComponentGroup:
        windowed = getattr(pool, "swa_kv_pool", None)
        if windowed is None:
            raise NotImplementedError(f"a {type(pool).__name__} has no pool for sliding windows")
        tensors = _tensors_of(windowed)
        rows = (self._page_size,) * len(tensors)
        return ComponentGroup("swa", tensors, self._page_size, self._page_size, rows, self.aligned_window())

    def _recurrent_group(self, pool: Any) -> ComponentGroup:
        del pool
        grid = int(self._mamba.mamba_checkpoint_grid)
        tensors = tuple(tensor.view(tensor.shape[0], 1, -1) for tensor in _states_of(self._requests.mamba_pool))
        return ComponentGroup("mamba", tensors, grid, 1, (1,) * len(tensors), grid, is_recurrent=True)


def is_latent(model_config: Any) -> bool:
    """Whether every tensor-parallel rank keeps the same cache, as with multi-head latent attention."""
    architecture = getattr(model_config, "attention_arch", None)
    return getattr(architecture, "name", architecture) == "MLA"


def _tensors_of(pool: Any) -> tuple[torch.Tensor, ...]:
    """Latent layers, or the key layers and then the value layers."""
    latent = getattr(pool, "kv_buffer", None)
    if latent is not None:
        # With sparse attention a rank may have no share of a layer.
        tensors = tuple(layer for layer in latent if layer.numel() or not getattr(pool, "use_dsa", False))
        if not tensors:
            raise NotImplementedError(f"a {type(pool).__name__} without layers cannot be cached")
        return tensors
    keys, values = getattr(pool, "k_buffer", None), getattr(pool, "v_buffer", None)
    if not keys or not values or len(keys) != len(values):
        raise NotImplementedError(f"a {type(pool).__name__} has no layers of keys and values that can be cached")
    layout = getattr(pool, "kv_cache_layout", "nhd")
    if layout != "nhd":
        raise NotImplementedError(f"the pool's layout is {layout}; nhd can be cached")
    return (*keys, *values)


def _indexers_of(pool: Any) -> tuple[torch.Tensor, ...]:
    """The pages of a sparse attention's indexer, a row for each page of tokens."""
    if not getattr(pool, "use_dsa", False):
        return ()
    tensors = tuple(layer for layer in getattr(pool, "index_k_with_scale_buffer", None) or () if layer.numel())
    if not tensors or any(layer.dim() != 2 for layer in tensors):
        raise NotImplementedError(f"the indexer of a {type(pool).__name__} is not made of pages and cannot be cached")
    return tensors


def _states_of(pool: Any) -> tuple[torch.Tensor, ...]:
    """Recurrent state, a row for each slot."""
    shared, name = getattr(pool, "_unified_buffer", None), getattr(pool, "_sub_pool_name", None)
    if shared is not None and name is not None:
        if shared.anchor_bytes(name) != 0:
            raise NotImplementedError("recurrent state that does not begin its buffer cannot be cached")
        size = int(shared.mamba_spec(name).entry_bytes())
        slots = int(pool._max_size) + 1
        return (shared._raw[: slots * size].view(slots, 1, size),)
    states = []
    for field, tensor, axis, layer in pool._iter_transfer_state_entries():
        if axis != 0 or not tensor.is_contiguous():
            raise NotImplementedError(f"state {field} of layer {layer} is not laid out by slots and cannot be cached")
        states.append(tensor)
    return tuple(states)
