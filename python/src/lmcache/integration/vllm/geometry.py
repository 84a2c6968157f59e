# lmcache · SPDX-License-Identifier: Apache-2.0
"""Groups of layers, and how many tokens one of their block ids stands for."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lmcache.transfer.layout import dtype_name, shape_of
from lmcache.wire.types import EngineGroupInfo

if TYPE_CHECKING:
    import torch

_REFUSED = ("CrossAttention", "EncoderOnly", "Mamba")


@dataclass(frozen=True)
class LayerGroup:
    """One group; `index` is vLLM's, `window` in tokens or -1."""

    index: int
    tokens_per_block: int
    window: int = -1
    layer_names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Geometry:
    """The groups whose blocks are cached, in vLLM's order."""

    groups: tuple[LayerGroup, ...]

    @staticmethod
    def of(kv_cache_config: Any, block_size: int, dcp_size: int = 1) -> Geometry:
        """Reads vLLM's configuration. Raises `ValueError` for layers that cannot be cached."""
        if kv_cache_config is None:
            return Geometry((LayerGroup(0, block_size * dcp_size),))
        groups = []
        for index, group in enumerate(kv_cache_config.kv_cache_groups):
            spec = group.kv_cache_spec
            kind = type(spec).__name__
            if kind.startswith(_REFUSED):
                raise ValueError(f"layers of kind {kind} cannot be cached")
            if not (getattr(spec, "prefix_cacheable", True) and getattr(group, "enable_kv_transfer", True)):
                continue
            # Without the hybrid manager a windowed layer keeps all its blocks, and its group is one of full attention.
            is_full = kind.startswith(("FullAttention", "MLAAttention", "UniformType"))
            window = None
            if not is_full:
                window = getattr(spec, "sliding_window", None) or getattr(spec, "attention_chunk_size", None)
            span = int(spec.block_size) * (dcp_size if getattr(spec, "dcp_sharded", True) else 1)
            groups.append(LayerGroup(index, span, int(window or -1), tuple(group.layer_names)))
        if not groups:
            raise ValueError("the engine has no layers that can be cached")
        return Geometry(tuple(groups))

    @property
    def common_span(self) -> int:
        """The least number of tokens that is a whole number of blocks in every group."""
        return math.lcm(*(group.tokens_per_block for group in self.groups))

    def chosen(self, block_ids: Sequence[Sequence[int]]) -> list[list[int]]:
        """The block ids of the cached groups, of those of all groups."""
        return [list(block_ids[group.index]) for group in self.groups]

    def covered(self, block_ids: Sequence[Sequence[int]]) -> int:
        """Tokens that have a block in every group."""
        spans = (group.tokens_per_block for group in self.groups)
        return min((len(ids) * span for ids, span in zip(block_ids, spans, strict=False)), default=0)

    def sliced(self, block_ids: Sequence[Sequence[int]], start: int, end: int) -> list[list[int]]:
        """The blocks of tokens `[start, end)`, both multiples of every span."""
        spans = (group.tokens_per_block for group in self.groups)
        return [list(ids[start // span : end // span]) for ids, span in zip(block_ids, spans, strict=True)]

    def group_infos(self, kv_caches: Mapping[str, torch.Tensor]) -> list[EngineGroupInfo]:
        """Layers of the same geometry together, in the order of their first layer, as the server buckets them."""
        position = {name: at for at, group in enumerate(self.groups) for name in group.layer_names}
        buckets: dict[tuple[Any, ...], list[int]] = {}
        for layer, (name, tensor) in enumerate(kv_caches.items()):
            at = position.get(name, 0 if len(self.groups) == 1 else None)
            if at is None:
                continue
            shape = shape_of(tensor)
            key = (at, shape.planes, shape.heads, shape.width, shape.tokens_per_block, dtype_name(tensor))
            buckets.setdefault(key, []).append(layer)
        return [
            EngineGroupInfo(key[0], layers, self.groups[key[0]].tokens_per_block, self.groups[key[0]].window)
            for key, layers in buckets.items()
        ]


def check_chunk(geometry: Geometry, chunk_size: int) -> None:
    """Raises `ValueError` unless a chunk is a whole number of blocks in every group."""
    bad = [span for span in spans(geometry.groups) if chunk_size % span]
    if bad:
        raise ValueError(f"the server's chunk size {chunk_size} is not a multiple of the block sizes {bad}")


def spans(groups: Iterable[LayerGroup]) -> list[int]:
    """Tokens per block of each group."""
    return [group.tokens_per_block for group in groups]
