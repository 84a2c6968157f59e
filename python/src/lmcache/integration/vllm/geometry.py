# lmcache · SPDX-License-Identifier: Apache-2.0
"""Groups of layers, and how many tokens one of their block ids stands for."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lmcache.wire.types import EngineGroupInfo

if TYPE_CHECKING:
    import torch

NULL_BLOCK = 0
"""The block that vLLM puts where a group needs none."""

_REFUSED = ("CrossAttention", "EncoderOnly")


@dataclass(frozen=True)
class LayerGroup:
    """One group; `index` is vLLM's, `window` in tokens or -1. A recurrent group keeps states, of which the last one
    before a token is all that it needs.
    """

    index: int
    tokens_per_block: int
    window: int = -1
    layer_names: tuple[str, ...] = ()
    is_recurrent: bool = False

    @property
    def copied_window(self) -> int:
        """The window in whole blocks, as the server copies them, in tokens; -1 for none."""
        return -(-self.window // self.tokens_per_block) * self.tokens_per_block if self.window > 0 else -1

    def needed_blocks(self, chunk_size: int) -> int:
        """The blocks at the end of a chunk whose content a later prompt may need."""
        count = chunk_size // self.tokens_per_block
        return count if not 0 < self.window < chunk_size else min(count, -(-self.window // self.tokens_per_block))


@dataclass(frozen=True)
class Geometry:
    """The groups whose blocks are cached, in vLLM's order."""

    groups: tuple[LayerGroup, ...]

    @staticmethod
    def of(kv_cache_config: Any, block_size: int, dcp_size: int = 1) -> Geometry:
        """Reads vLLM's configuration. Raises `ValueError` for layers that cannot be cached."""
        if kv_cache_config is None or not kv_cache_config.kv_cache_groups:
            return Geometry((LayerGroup(0, block_size * dcp_size),))
        refused = [why for group in kv_cache_config.kv_cache_groups for why in _refusals(group.kv_cache_spec)]
        if refused:
            raise ValueError(f"this model's layers cannot be cached: {', '.join(sorted(set(refused)))}")
        groups = [
            _group(index, group, dcp_size)
            for index, group in enumerate(kv_cache_config.kv_cache_groups)
            if all(getattr(spec, "prefix_cacheable", True) for spec in leaves(group.kv_cache_spec))
            and getattr(group, "enable_kv_transfer", True)
        ]
        if not groups:
            raise ValueError("the engine has no layers that can be cached")
        return Geometry(tuple(groups))

    @property
    def has_windows(self) -> bool:
        """Whether blocks leave a request while it goes on."""
        return any(group.window > 0 for group in self.groups)

    @property
    def has_recurrent(self) -> bool:
        """Whether some layers keep states in place of tokens."""
        return any(group.is_recurrent for group in self.groups)

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

    def storable(
        self, block_ids: Sequence[Sequence[int]], start: int, end: int, chunk_size: int, can_leave_out_groups: bool
    ) -> list[tuple[int, int, list[list[int]]]]:
        """The runs of chunks of `[start, end)` that can be stored, with their blocks.

        A chunk of which a group has lost a block that a later prompt may need must not be stored as if it were there.
        A server that keeps groups apart leaves out a group whose blocks in the chunk are all null.
        """
        runs: list[tuple[int, int, list[list[int]]]] = []
        for at in range(start, end, chunk_size):
            blocks = self.sliced(block_ids, at, at + chunk_size)
            lost = [
                index
                for index, (group, ids) in enumerate(zip(self.groups, blocks, strict=True))
                if NULL_BLOCK in ids[len(ids) - group.needed_blocks(chunk_size) :]
            ]
            if lost and (not can_leave_out_groups or len(lost) == len(blocks)):
                continue
            for index in lost:
                blocks[index] = [NULL_BLOCK] * len(blocks[index])
            if runs and runs[-1][1] == at:
                previous = runs.pop()
                blocks = [old + new for old, new in zip(previous[2], blocks, strict=True)]
                runs.append((previous[0], at + chunk_size, blocks))
            else:
                runs.append((at, at + chunk_size, blocks))
        return runs

    def without_lost_blocks(self, block_ids: Sequence[Sequence[int]], computed: int) -> list[list[int]]:
        """Block ids as they were handed out, but null where vLLM has taken a block back after `computed` tokens."""
        kept = []
        for group, ids in zip(self.groups, block_ids, strict=True):
            gone = 0
            if group.is_recurrent:
                # Which states are kept cannot be told from what was handed out.
                gone = len(ids)
            elif group.window > 0:
                # Both a window that slides and one that begins anew keep what is behind this token.
                gone = min(len(ids), computed // group.window * group.window // group.tokens_per_block)
            kept.append([NULL_BLOCK] * gone + list(ids[gone:]))
        return kept

    def group_infos(self, kv_caches: Mapping[str, torch.Tensor]) -> list[EngineGroupInfo]:
        """Layers of the same geometry together, in the order of their first layer, as the server buckets them."""
        from lmcache.transfer.layout import dtype_name, shape_of

        position = {name: at for at, group in enumerate(self.groups) for name in group.layer_names}
        buckets: dict[tuple[Any, ...], list[int]] = {}
        for layer, (name, tensor) in enumerate(kv_caches.items()):
            at = position.get(name, 0 if len(self.groups) == 1 else None)
            if at is None:
                continue
            shape = shape_of(tensor)
            key = (at, shape.planes, shape.heads, shape.width, shape.tokens_per_block, dtype_name(tensor))
            buckets.setdefault(key, []).append(layer)
        infos = []
        for key, layers in buckets.items():
            group = self.groups[key[0]]
            infos.append(
                EngineGroupInfo(
                    engine_group_id=key[0],
                    layer_indices=layers,
                    tokens_per_block=group.tokens_per_block,
                    sw_size_tokens=group.copied_window,
                    recurrent_state=group.is_recurrent,
                )
            )
        return infos


def check_chunk(geometry: Geometry, chunk_size: int) -> None:
    """Raises `ValueError` unless a chunk is a whole number of blocks in every group."""
    bad = [span for span in spans(geometry.groups) if chunk_size % span]
    if bad:
        raise ValueError(f"the server's chunk size {chunk_size} is not a multiple of the block sizes {bad}")


def spans(groups: Iterable[LayerGroup]) -> list[int]:
    """Tokens per block of each group."""
    return [group.tokens_per_block for group in groups]


def leaves(spec: Any) -> list[Any]:
    """The specifications of single layers."""
    inner = getattr(spec, "kv_cache_specs", None)
    return list(inner.values()) if isinstance(inner, dict) and inner else [spec]


def leaf_of(spec: Any, layer: str) -> Any:
    """The specification of one layer of a group."""
    inner = getattr(spec, "kv_cache_specs", None)
    return inner[layer] if isinstance(inner, dict) and layer in inner else spec


def is_kind(spec: Any, name: str) -> bool:
    """Whether a specification is of vLLM's class of that name, or of one made from it."""
    return any(cls.__name__ == name for cls in type(spec).__mro__)


def _refusals(spec: Any) -> list[str]:
    """Why layers cannot be cached."""
    reasons = []
    for leaf in leaves(spec):
        kind = type(leaf).__name__
        if kind.startswith(_REFUSED):
            reasons.append(f"{kind} depends on more than the tokens")
        elif is_kind(leaf, "MambaSpec") and getattr(leaf, "mamba_cache_mode", "none") not in ("align", "all"):
            reasons.append(f"{kind} keeps no states to return to; start vLLM with --mamba-cache-mode align")
    return reasons


def _group(index: int, group: Any, dcp_size: int) -> LayerGroup:
    spec = leaves(group.kv_cache_spec)[0]
    span = int(spec.block_size)
    if is_kind(spec, "MambaSpec"):
        return LayerGroup(index, span, span, tuple(group.layer_names), is_recurrent=True)
    if getattr(spec, "dcp_sharded", True):
        span *= dcp_size
    # Without the hybrid manager a windowed layer keeps all its blocks, and its group is one of full attention.
    window = -1
    if not is_kind(spec, "FullAttentionSpec"):
        window = int(getattr(spec, "sliding_window", None) or getattr(spec, "attention_chunk_size", None) or -1)
    return LayerGroup(index, span, window, tuple(group.layer_names))


def check_steps(vllm_config: Any, geometry: Geometry) -> None:
    """Raises `ValueError` when a step cannot reach the end of a block of states, where the only ones to keep are."""
    if getattr(vllm_config.cache_config, "mamba_cache_mode", "none") != "align" or not geometry.has_recurrent:
        return
    sizes = {group.tokens_per_block for group in geometry.groups if group.is_recurrent}
    most = int(vllm_config.scheduler_config.max_num_batched_tokens)
    if len(sizes) > 1:
        raise ValueError(f"recurrent layers have blocks of different sizes: {sorted(sizes)}")
    if most < max(sizes):
        size = max(sizes)
        raise ValueError(f"max_num_batched_tokens is {most}; steps must reach the end of a block of {size} tokens")
