# lmcache · SPDX-License-Identifier: Apache-2.0
"""The connector class over vLLM's own base class; skipped where vLLM is not installed."""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from fabricated import output, request
from fake_pool import CHUNK, FakePool
from fake_server import NO_VALUE, FakeServer
from waiting import eventually

torch = pytest.importorskip("torch")
pytest.importorskip("vllm")

from vllm.distributed.kv_transfer.kv_connector.v1.base import KVConnectorRole, SupportsHMA  # noqa: E402
from vllm.v1.kv_cache_interface import (  # noqa: E402
    FullAttentionSpec,
    KVCacheConfig,
    KVCacheGroupSpec,
    SlidingWindowSpec,
)

from lmcache.integration.vllm.lmcache_mp_connector import LMCacheMPConnector  # noqa: E402

BLOCK, HEADS, WIDTH, BLOCKS = 8, 2, 4, 16
TOKENS = list(range(40))
NAMES = ["layer.0", "layer.1"]


@pytest.fixture
def pool() -> Iterator[FakePool]:
    pool = FakePool(len(NAMES) * CHUNK * HEADS * WIDTH * 4)
    yield pool
    pool.remove()


@pytest.fixture
def server(pool: FakePool) -> Iterator[FakeServer]:
    hits = {"query_prefetch_status": lambda _: len(pool.stored), "register_kv_cache": NO_VALUE}
    server = FakeServer({**pool.script(), **hits})
    yield server
    server.stop()


def vllm_config(server: FakeServer, role: str = "kv_both", **extra: Any) -> Any:
    host, port = server.url.rsplit(":", 1)
    options = {"host": host, "port": port, "mq_timeout": 5, "heartbeat_interval": 1000, **extra}
    transfer = SimpleNamespace(
        kv_role=role,
        is_kv_producer=role != "kv_consumer",
        kv_connector_extra_config={f"lmcache.mp.{name}": value for name, value in options.items()},
    )
    parallel = SimpleNamespace(world_size=1, rank=0, tensor_parallel_size=1, pipeline_parallel_size=1)
    return SimpleNamespace(
        kv_transfer_config=transfer,
        parallel_config=parallel,
        cache_config=SimpleNamespace(block_size=BLOCK, kv_cache_layout="LBHNC"),
        model_config=SimpleNamespace(model="m", use_mla=False),
    )


def full() -> Any:
    return FullAttentionSpec(block_size=BLOCK, num_kv_heads=HEADS, head_size=2, dtype=torch.float32)


def cache_config(*groups: Any) -> Any:
    return KVCacheConfig(BLOCKS, [], list(groups) or [KVCacheGroupSpec(NAMES, full())])


def make(server: FakeServer, role: str, config: Any = None, **extra: Any) -> Any:
    return LMCacheMPConnector(vllm_config(server, **extra), KVConnectorRole[role], config or cache_config())


def caches() -> dict[str, Any]:
    return {name: torch.rand(BLOCKS, HEADS, BLOCK, WIDTH) for name in NAMES}


def blocks(*groups: list[int]) -> Any:
    return SimpleNamespace(get_block_ids=lambda: groups)


def step(scheduler: Any, worker: Any, scheduled: Any, finished: set[str] | None = None) -> Any:
    """One step in vLLM's order; metadata crosses a process boundary."""
    metadata = pickle.loads(pickle.dumps(scheduler.build_connector_meta(scheduled)))
    worker.handle_preemptions(metadata)
    worker.bind_connector_metadata(metadata)
    worker.start_load_kv(None)
    worker.wait_for_save()
    results = worker.get_transfer_results(finished or set())
    errors = worker.get_block_ids_with_load_errors()
    worker.clear_connector_metadata()
    return results, errors


def test_vllm_can_build_it() -> None:
    assert list(inspect.signature(LMCacheMPConnector).parameters) == ["vllm_config", "role", "kv_cache_config"]
    assert issubclass(LMCacheMPConnector, SupportsHMA)
    assert not LMCacheMPConnector.__abstractmethods__


def test_vllm_finds_it_by_name() -> None:
    from vllm.distributed.kv_transfer.kv_connector.v1 import lmcache_mp_connector

    assert lmcache_mp_connector.LMCacheMPConnector is LMCacheMPConnector


def test_vllms_own_connector_can_build_our_adapters(server: FakeServer) -> None:
    from vllm.distributed.kv_transfer.kv_connector.v1 import lmcache_mp_connector as builtin

    config = vllm_config(server)
    scheduler = builtin.create_scheduler_adapter(server.url, None, config, 5.0, 1000.0)
    worker = builtin.create_worker_adapter(server.url, None, config, 5.0, 1000.0)
    assert scheduler.num_blocks_per_chunk() == worker.num_blocks_per_chunk() == CHUNK // BLOCK
    assert (worker.use_mla, worker.is_first_rank_of_pp_group) == (False, True)
    scheduler.shutdown()
    worker.shutdown()


def test_cold_then_warm(server: FakeServer, pool: FakePool) -> None:
    scheduler, worker = make(server, "SCHEDULER"), make(server, "WORKER")
    tensors = caches()
    worker.register_kv_caches(tensors)
    cold = request("cold", TOKENS)
    eventually(lambda: scheduler.get_num_new_matched_tokens(cold, 0) == (0, False))
    scheduler.update_state_after_alloc(cold, blocks([1, 2, 3, 4, 5]), 0)
    step(scheduler, worker, output(new=[("cold", [[1, 2, 3, 4, 5]], 0, 40)]))
    assert scheduler.request_finished_all_groups(cold, ([1, 2, 3, 4, 5],)) == (True, None)
    results, _ = step(scheduler, worker, output(), {"cold"})
    ended = set(results.finished_sending)
    eventually(lambda: ended.update(step(scheduler, worker, output())[0].finished_sending) or ended)
    assert ended == {"cold"} and len(pool.stored) == 2

    warm = request("warm", TOKENS)
    eventually(lambda: scheduler.get_num_new_matched_tokens(warm, 0) == (32, True))
    scheduler.update_state_after_alloc(warm, blocks([9, 8, 7, 6]), 32)
    results, errors = step(scheduler, worker, output())
    loaded = set(results.finished_recving)
    eventually(lambda: loaded.update(step(scheduler, worker, output())[0].finished_recving) or loaded)
    assert loaded == {"warm"} and not errors
    for tensor in tensors.values():
        assert torch.equal(tensor[[9, 8, 7, 6]], tensor[[1, 2, 3, 4]])
    assert scheduler.request_finished_all_groups(warm, ([9, 8, 7, 6],)) == (False, None)
    assert step(scheduler, worker, output(), {"warm"})[0].finished_sending == set()
    eventually(lambda: server.of("end_session") == [["cold"], ["warm"]])
    scheduler.shutdown()
    worker.shutdown()


def test_failed_load_is_told_by_block_and_then_computed(server: FakeServer, pool: FakePool) -> None:
    server.script["query_prefetch_status"] = 2
    scheduler, worker = make(server, "SCHEDULER"), make(server, "WORKER")
    worker.register_kv_caches(caches())
    a = request("a", TOKENS)
    eventually(lambda: scheduler.get_num_new_matched_tokens(a, 0) == (32, True))
    scheduler.update_state_after_alloc(a, blocks([1, 2, 3, 4]), 32)
    results, errors = step(scheduler, worker, output())
    while not results.finished_recving:
        results, errors = step(scheduler, worker, output())
    assert (results.finished_recving, results.failed_recving, errors) == ({"a"}, set(), {1, 2, 3, 4})
    assert scheduler.get_num_new_matched_tokens(a, 0) == (0, False)
    scheduler.shutdown()
    worker.shutdown()


def test_several_groups_register_with_their_windows_and_fail_by_request(server: FakeServer) -> None:
    window = SlidingWindowSpec(
        block_size=BLOCK, num_kv_heads=HEADS, head_size=2, dtype=torch.float32, sliding_window=16
    )
    config = cache_config(KVCacheGroupSpec([NAMES[0]], full()), KVCacheGroupSpec([NAMES[1]], window))
    server.script["query_prefetch_status"] = 2
    server.script["retrieve"] = [b"", False]
    scheduler, worker = make(server, "SCHEDULER", config), make(server, "WORKER", config)
    worker.register_kv_caches(caches())
    infos = server.of("register_kv_cache")[0][6]
    assert [(i["engine_group_id"], i["layer_indices"], i["sw_size_tokens"]) for i in infos] == [
        (0, [0], -1),
        (1, [1], 16),
    ]
    a = request("a", TOKENS)
    eventually(lambda: scheduler.get_num_new_matched_tokens(a, 0) == (32, True))
    scheduler.update_state_after_alloc(a, blocks([1, 2, 3, 4], [5, 6, 7, 8]), 32)
    results, errors = step(scheduler, worker, output())
    while not results.finished_recving:
        results, errors = step(scheduler, worker, output())
    assert (results.failed_recving, errors) == ({"a"}, set())
    assert server.of("retrieve")[0][2] == [[1, 2, 3, 4], [5, 6, 7, 8]]
    scheduler.shutdown()
    worker.shutdown()


def test_bad_configuration_is_one_clear_error(server: FakeServer) -> None:
    with pytest.raises(ValueError, match="2 servers do not fit 1 workers"):
        make(server, "SCHEDULER", server_urls="a:1,b:2")
    with pytest.raises(ValueError, match="mp_transfer_mode"):
        make(server, "SCHEDULER", mp_transfer_mode="magic")
