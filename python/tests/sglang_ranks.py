# lmcache · SPDX-License-Identifier: Apache-2.0
"""What each of two ranks does in the tests of agreement. Runs in a process of its own."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from sglang_stage import layers, model, unified_arguments

from lmcache.integration.sglang.multi_process_adapter import LMCacheMPConnector
from lmcache.integration.sglang.ranks import Ranks
from lmcache.integration.sglang.sglang_adapter import LMCacheLayerwiseConnector, LoadMetadata, StoreMetadata
from lmcache.integration.sglang.unified_lmcache_mp_connector import UnifiedLMCacheMPConnector

CHUNK = 16
TOKENS = list(range(3 * CHUNK))
SLOTS = torch.arange(8, 8 + 3 * CHUNK)
FRESH = torch.arange(100, 100 + 3 * CHUNK)


def wait(condition: Any, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def unified(rank: int, config: str) -> None:
    arguments = unified_arguments(config, 4, tp_size=2, tp_rank=rank, tp_group=dist.group.WORLD)
    connector = UnifiedLMCacheMPConnector(**arguments)
    assert connector.is_lookup_leader is (rank == 0) and connector.kv_worker_id == rank
    store = connector.submit_store("a", TOKENS, [SLOTS], device_indices_start=0, cache_salt="")
    assert store is not None
    wait(lambda: connector.ready_prefix_count([store]) == 1)
    assert connector.complete_store(store)
    # One rank's slots are none: neither stores anything.
    bad = torch.zeros_like(SLOTS) if rank else SLOTS
    tokens = [token + 1000 for token in TOKENS]
    assert connector.submit_store("x", tokens, [bad], device_indices_start=0, cache_salt="") is None
    found = connector.submit_lookup("b", TOKENS, local_hit_tokens=0, cache_salt="")
    wait(lambda: connector.poll_lookup(found) is not None)
    assert found.total_hit_tokens == 3 * CHUNK
    load = connector.submit_load(found, [FRESH], local_hit_tokens=0)
    assert connector.prepare_load_on_stream(load, None) and connector.complete_load(load)
    for layer in arguments["token_to_kv_pool_allocator"].pool.k_buffer:
        assert torch.equal(layer[SLOTS], layer[FRESH])
    # One rank's load cannot begin: it fails on both.
    again = connector.submit_lookup("c", TOKENS, local_hit_tokens=0, cache_salt="")
    wait(lambda: connector.poll_lookup(again) is not None)
    load = connector.submit_load(again, [FRESH + rank], local_hit_tokens=0)
    assert not connector.prepare_load_on_stream(load, None) and load.result is False
    for request in "abc":
        connector.finish_request(request)
    connector.close()


def legacy(rank: int, config: str) -> None:
    port = int(os.environ["TEST_PORT"])
    keys, values = layers(10 + rank), layers(20 + rank)
    connector = LMCacheMPConnector(
        model("legacy"),
        2,
        rank,
        4,
        "127.0.0.1",
        port,
        keys,
        values,
        tp_group=dist.group.WORLD,
        mq_timeout=5.0,
        heartbeat_interval=0.5,
    )
    # Rank 1 stores one chunk less: what both have counts.
    stored = len(TOKENS) - rank * CHUNK
    connector.store_kv(StoreMetadata(None, TOKENS[:stored], SLOTS[:stored], 0, "a"))
    dist.barrier()
    assert connector.lookup_kv(TOKENS, "b") == 2 * CHUNK
    assert connector.retrieve_kv(LoadMetadata(TOKENS, FRESH, 0, 0, "b")) == 2 * CHUNK
    assert torch.equal(keys[0][SLOTS[: 2 * CHUNK]], keys[0][FRESH[: 2 * CHUNK]])
    assert connector.lookup_kv(TOKENS, "c") == 2 * CHUNK
    assert connector.retrieve_kv(LoadMetadata(TOKENS, FRESH + rank, 0, 0, "c")) == 0
    connector.end_session("b")
    connector.end_session("c")
    connector.close()


def layerwise(rank: int, config: str) -> None:
    keys, values = layers(30 + rank), layers(40 + rank)
    connector = LMCacheLayerwiseConnector(model("layers"), 2, rank, keys, values, config, dist.group.WORLD)
    stored = len(TOKENS) - rank * CHUNK
    connector.store_kv(StoreMetadata(None, TOKENS[:stored], SLOTS[:stored], 0))
    dist.barrier()
    assert connector.start_load_kv(LoadMetadata(TOKENS, FRESH, 0)) == 2 * CHUNK
    connector.load_kv_layerwise(0)
    connector.load_kv_layerwise(1)
    assert torch.equal(values[-1][SLOTS[: 2 * CHUNK]], values[-1][FRESH[: 2 * CHUNK]])
    # One rank has no such slots: nobody loads.
    assert connector.start_load_kv(LoadMetadata(TOKENS, FRESH + rank * 10_000, 0)) == 0
    connector.close()


def agreement(rank: int, config: str) -> None:
    ranks = Ranks(2, rank, dist.group.WORLD)
    assert (ranks.least(rank + 3), ranks.greatest(rank + 3)) == (3, 4)
    assert (ranks.all(True), ranks.all(rank == 0)) == (True, False)
    try:
        Ranks(3, rank, dist.group.WORLD)
    except ValueError as error:
        assert "2 ranks" in str(error)
    else:
        raise AssertionError("a group of another size was taken")


CASES = (agreement, unified, legacy, layerwise)


def main() -> None:
    rank, folder, config = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    dist.init_process_group("gloo", init_method=f"file://{folder / 'group'}", rank=rank, world_size=2)
    for case in CASES:
        case(rank, config)
        dist.barrier()
        print(f"rank {rank}: {case.__name__}", flush=True)
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
