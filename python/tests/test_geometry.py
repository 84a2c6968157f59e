# lmcache · SPDX-License-Identifier: Apache-2.0
"""Groups of layers: what can be cached, which blocks of a chunk count, which chunks can be stored."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from lmcache.integration.vllm.context_parallel import cache_model_name, check_context_parallel
from lmcache.integration.vllm.geometry import Geometry, LayerGroup, check_steps


class FullAttentionSpec(SimpleNamespace):
    pass


class SlidingWindowSpec(SimpleNamespace):
    pass


class MambaSpec(SimpleNamespace):
    pass


class CrossAttentionSpec(SimpleNamespace):
    pass


class UniformTypeKVCacheSpecs(SimpleNamespace):
    pass


def config(*specs: Any) -> Any:
    groups = [SimpleNamespace(layer_names=[f"l{i}"], kv_cache_spec=spec) for i, spec in enumerate(specs)]
    return SimpleNamespace(kv_cache_groups=groups)


def test_groups_of_every_kind() -> None:
    full = FullAttentionSpec(block_size=16, dcp_sharded=True)
    geometry = Geometry.of(
        config(
            full,
            SlidingWindowSpec(block_size=16, sliding_window=100, dcp_sharded=False),
            MambaSpec(block_size=64, mamba_cache_mode="align"),
            FullAttentionSpec(block_size=16, prefix_cacheable=False),
            UniformTypeKVCacheSpecs(block_size=16, kv_cache_specs={"l4": full, "x": full}),
        ),
        16,
        dcp_size=2,
    )
    assert [(g.index, g.tokens_per_block, g.window, g.is_recurrent) for g in geometry.groups] == [
        (0, 32, -1, False),
        (1, 16, 100, False),
        (2, 64, 64, True),
        (4, 32, -1, False),
    ]
    assert geometry.common_span == 64 and geometry.groups[1].copied_window == 112


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (CrossAttentionSpec(block_size=16), "CrossAttentionSpec depends on more than the tokens"),
        (MambaSpec(block_size=16), "MambaSpec keeps no states to return to"),
        (MambaSpec(block_size=16, mamba_cache_mode="none"), "--mamba-cache-mode align"),
    ],
)
def test_layers_that_cannot_be_cached_are_named(spec: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Geometry.of(config(FullAttentionSpec(block_size=16), spec), 16)


def test_blocks_that_count() -> None:
    assert LayerGroup(0, 8).needed_blocks(32) == 4
    assert LayerGroup(0, 8, window=12).needed_blocks(32) == 2
    assert LayerGroup(0, 8, window=32).needed_blocks(32) == 4
    assert LayerGroup(0, 16, window=16, is_recurrent=True).needed_blocks(64) == 1


GROUPS = Geometry((LayerGroup(0, 8), LayerGroup(1, 8, window=12)))
FULL = [1, 2, 3, 4, 5, 6, 7, 8]


def test_chunks_with_lost_blocks_are_left_out() -> None:
    runs = GROUPS.storable([FULL, [0, 0, 0, 0, 15, 16, 17, 18]], 0, 64, 16, can_leave_out_groups=False)
    assert [(start, end) for start, end, _ in runs] == [(32, 64)]
    assert runs[0][2] == [[5, 6, 7, 8], [15, 16, 17, 18]]
    runs = GROUPS.storable([FULL, [11, 12, 0, 14, 15, 16, 0, 18]], 0, 64, 16, can_leave_out_groups=False)
    assert [(start, end) for start, end, _ in runs] == [(0, 16), (32, 48)]


def test_block_that_nobody_needs_may_be_lost() -> None:
    groups = Geometry((LayerGroup(0, 8), LayerGroup(1, 8, window=8)))
    runs = groups.storable([FULL, [0, 12, 0, 14, 0, 16, 0, 18]], 0, 64, 16, can_leave_out_groups=False)
    assert [(start, end) for start, end, _ in runs] == [(0, 64)]


def test_group_is_left_out_where_the_server_can() -> None:
    runs = GROUPS.storable([FULL, [0, 12, 13, 14, 15, 16, 17, 18]], 0, 64, 16, can_leave_out_groups=True)
    assert runs == [(0, 64, [FULL, [0, 0, 13, 14, 15, 16, 17, 18]])]
    assert GROUPS.storable([[0] * 8, [0] * 8], 0, 64, 16, can_leave_out_groups=True) == []


def test_blocks_are_told_to_be_lost_without_the_engines_table() -> None:
    geometry = Geometry((LayerGroup(0, 8), LayerGroup(1, 8, window=20), LayerGroup(2, 16, 16, is_recurrent=True)))
    ids = [[1, 2, 3, 4, 5, 6], [11, 12, 13, 14, 15, 16], [21, 22, 23]]
    for computed in range(48):
        kept = geometry.without_lost_blocks(ids, computed)
        skipped = max(0, computed - 20 + 1) // 8
        assert kept[0] == ids[0] and kept[2] == [0, 0, 0]
        assert kept[1][:skipped] == [0] * skipped
        assert [block for block in kept[1] if block] == ids[1][kept[1].count(0) :]


def parallel(dcp: int = 1, pcp: int = 1, interleave: int = 1, world: int = 4) -> Any:
    return SimpleNamespace(
        decode_context_parallel_size=dcp,
        prefill_context_parallel_size=pcp,
        cp_kv_cache_interleave_size=interleave,
        world_size=world,
    )


def test_context_parallel_arrangements() -> None:
    groups = config(FullAttentionSpec(block_size=16), MambaSpec(block_size=10, dcp_sharded=False))
    assert check_context_parallel(parallel(), groups, 16, 1) == 1
    assert check_context_parallel(parallel(dcp=2, interleave=8), groups, 16, 2) == 2
    with pytest.raises(ValueError, match="prefill context parallelism"):
        check_context_parallel(parallel(pcp=2), groups, 16, 1)
    with pytest.raises(ValueError, match=r"interleave_size 6 does not divide blocks of \[16\]"):
        check_context_parallel(parallel(dcp=2, interleave=6), groups, 16, 1)
    with pytest.raises(ValueError, match="4 servers leave 1 workers each"):
        check_context_parallel(parallel(dcp=2), groups, 16, 4)


def test_interleaved_shards_have_a_name_of_their_own() -> None:
    assert cache_model_name("m", parallel(dcp=2)) == "m"
    assert cache_model_name("m", parallel(interleave=4)) == "m"
    assert cache_model_name("m", parallel(dcp=2, interleave=4)) == "m##lmcache-dcp-layout-v1-d2-interleave4"


def test_steps_must_reach_the_end_of_a_block_of_states() -> None:
    geometry = Geometry((LayerGroup(0, 64, 64, is_recurrent=True),))
    engine = SimpleNamespace(
        cache_config=SimpleNamespace(mamba_cache_mode="align"),
        scheduler_config=SimpleNamespace(max_num_batched_tokens=63),
    )
    with pytest.raises(ValueError, match="max_num_batched_tokens is 63"):
        check_steps(engine, geometry)
    engine.scheduler_config.max_num_batched_tokens = 64
    check_steps(engine, geometry)
