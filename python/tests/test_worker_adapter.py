# lmcache · SPDX-License-Identifier: Apache-2.0
"""The worker's adapter with real tensors and a scripted server: bytes, loss, restart, order of ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fake_pool import CHUNK, FakePool
from fake_server import NO_VALUE, SILENCE, FakeServer, Refusal
from waiting import eventually

from lmcache.integration.vllm.vllm_multi_process_adapter import LMCacheMPWorkerAdapter, LoadStoreOp, ParallelStrategy

torch = pytest.importorskip("torch")

BLOCK, HEADS, WIDTH, LAYERS, BLOCKS = 8, 2, 4, 3, 16
SLOT_BYTES = LAYERS * CHUNK * HEADS * WIDTH * 4
TOKENS = list(range(48))


@pytest.fixture
def pool() -> Iterator[FakePool]:
    pool = FakePool(SLOT_BYTES)
    yield pool
    pool.remove()


@pytest.fixture
def server(pool: FakePool) -> Iterator[FakeServer]:
    server = FakeServer(pool.script())
    yield server
    server.stop()


def caches(layout: str = "HND") -> dict[str, Any]:
    def layer(index: int) -> Any:
        torch.manual_seed(index)
        if layout == "HND":
            return torch.rand(BLOCKS, HEADS, BLOCK, WIDTH)
        return torch.rand(BLOCKS, BLOCK, HEADS, WIDTH).permute(0, 2, 1, 3)

    return {f"layer.{index}": layer(index) for index in range(LAYERS)}


def make(server: FakeServer, rank: int = 0, mla: bool = False, **more: Any) -> LMCacheMPWorkerAdapter:
    strategy = ParallelStrategy(mla, 1, 0, 2, rank, 2, 1) if mla else ParallelStrategy(False, 1, 0, 1, 0, 1, 1)
    options = {"mq_timeout": 5, "heartbeat_interval": 1000, **more}
    return LMCacheMPWorkerAdapter(
        server_url=server.url, model_name="m", vllm_block_size=BLOCK, parallel_strategy=strategy, **options
    )


def finish(adapter: LMCacheMPWorkerAdapter, announced: set[str]) -> tuple[set[str], set[str]]:
    """Polls until something has ended."""
    found: list[tuple[set[str], set[str]]] = []

    def poll() -> bool:
        sent, received = adapter.get_finished(announced if not found else set())
        found.append((sent or set(), received or set()))
        return bool(sent or received)

    eventually(poll)
    return found[-1]


@pytest.mark.parametrize("layout", ["HND", "NHD"])
def test_stored_bytes_are_token_major_and_come_back(server: FakeServer, pool: FakePool, layout: str) -> None:
    adapter = make(server)
    tensors = caches(layout)
    adapter.register_kv_caches(tensors)
    registration = pool.registrations[0]
    assert (registration["num_layers"], registration["hidden_dim_size"], registration["use_mla"]) == (3, 8, True)
    before = {name: tensor.clone() for name, tensor in tensors.items()}
    adapter.submit_store_request("a", LoadStoreOp(TOKENS, [[4, 1, 3, 2]], 0, 32))
    assert finish(adapter, {"a"}) == ({"a"}, set())
    rows = torch.cat([before[f"layer.{i}"][[4, 1]].permute(0, 2, 1, 3).reshape(-1) for i in range(LAYERS)])
    assert pool.bytes_of(TOKENS[:16]) == rows.numpy().tobytes()
    for tensor in tensors.values():
        tensor.zero_()
    adapter.submit_retrieve_request("b", LoadStoreOp(TOKENS, [[9, 8, 7, 6]], 0, 32, skip_first_n_tokens=8))
    assert finish(adapter, set()) == (set(), {"b"})
    assert adapter.get_block_ids_with_load_errors() == set()
    for name, tensor in tensors.items():
        assert torch.equal(tensor[[8, 7, 6]], before[name][[1, 3, 2]])
        assert not tensor[9].any()
    eventually(lambda: pool.returned == [(0, 32)])
    adapter.shutdown()


def test_key_and_value_planes(server: FakeServer, pool: FakePool) -> None:
    adapter = make(server)
    tensors = {f"layer.{index}": torch.rand(2, BLOCKS, BLOCK, HEADS, WIDTH // 2) for index in range(LAYERS)}
    adapter.register_kv_caches(tensors)
    assert pool.registrations[0]["use_mla"] is False
    before = {name: tensor.clone() for name, tensor in tensors.items()}
    adapter.submit_store_request("a", LoadStoreOp(TOKENS, [3, 5], 0, 16))
    finish(adapter, {"a"})
    planes = [before[f"layer.{i}"][plane, [3, 5]].reshape(-1) for plane in range(2) for i in range(LAYERS)]
    assert pool.bytes_of(TOKENS[:16]) == torch.cat(planes).numpy().tobytes()
    adapter.submit_retrieve_request("b", LoadStoreOp(TOKENS, [7, 6], 0, 16))
    finish(adapter, set())
    for name, tensor in tensors.items():
        assert torch.equal(tensor[:, [7, 6]], before[name][:, [3, 5]])
    adapter.shutdown()


def test_missing_chunks_fail_by_block_once(server: FakeServer, pool: FakePool) -> None:
    adapter = make(server)
    adapter.register_kv_caches(caches())
    adapter.submit_retrieve_request("a", LoadStoreOp(TOKENS, [[4, 1, 3, 2]], 0, 32, skip_first_n_tokens=8))
    assert finish(adapter, set()) == (set(), {"a"})
    assert adapter.get_block_ids_with_load_errors() == {1, 3, 2}
    assert adapter.get_block_ids_with_load_errors() == set()
    assert adapter.get_failed_request_ids() == {"a"}
    eventually(lambda: pool.returned == [(0, 32)])
    adapter.shutdown()


def test_several_stores_of_a_request_all_end_before_it_does(server: FakeServer, pool: FakePool) -> None:
    adapter = make(server)
    adapter.register_kv_caches(caches())
    script = dict(server.script)
    server.script["commit_store"] = lambda *_: SILENCE if len(server.of("commit_store")) == 0 else True
    adapter.submit_store_request("a", LoadStoreOp(TOKENS, [[4, 1]], 0, 16))
    eventually(lambda: server.of("commit_store"))
    adapter.submit_store_request("a", LoadStoreOp(TOKENS, [[3, 2]], 16, 32))
    assert adapter.get_finished({"a"}) == (None, None)
    assert adapter.get_finished(set()) == (None, None)
    server.script.update(script)
    server.restart()
    assert finish(adapter, set()) == ({"a"}, set())
    assert adapter.get_finished(set()) == (None, None)
    adapter.shutdown()


def test_request_without_store_ends_at_once(server: FakeServer) -> None:
    adapter = make(server)
    adapter.register_kv_caches(caches())
    assert adapter.get_finished({"a"}) == ({"a"}, None)
    adapter.shutdown()


def test_abort_during_a_load_is_told_once_as_its_end(server: FakeServer) -> None:
    server.script["prepare_retrieve"] = SILENCE
    adapter = make(server)
    adapter.register_kv_caches(caches())
    adapter.submit_retrieve_request("a", LoadStoreOp(TOKENS, [[4, 1]], 0, 16))
    assert adapter.get_finished({"a"}) == (None, None)
    eventually(lambda: server.of("prepare_retrieve"))
    server.restart()
    assert finish(adapter, set()) == (set(), {"a"})
    assert adapter.get_finished(set()) == (None, None)
    adapter.shutdown()


def test_restart_registers_again_and_works(server: FakeServer, pool: FakePool) -> None:
    adapter = make(server)
    adapter.register_kv_caches(caches())
    server.restart()
    eventually(lambda: len(pool.registrations) == 2 and adapter.is_healthy)
    assert pool.registrations[0]["instance_id"] == pool.registrations[1]["instance_id"]
    adapter.submit_store_request("a", LoadStoreOp(TOKENS, [[4, 1]], 0, 16))
    assert finish(adapter, {"a"}) == ({"a"}, set())
    assert tuple(TOKENS[:16]) in pool.stored
    adapter.shutdown()


def test_server_away_costs_neither_time_nor_exceptions(server: FakeServer) -> None:
    adapter = make(server)
    adapter.register_kv_caches(caches())
    server.stop()
    eventually(lambda: not adapter.is_healthy)
    adapter.submit_store_request("a", LoadStoreOp(TOKENS, [[4, 1]], 0, 16))
    adapter.submit_retrieve_request("b", LoadStoreOp(TOKENS, [[3, 2]], 0, 16))
    assert adapter.get_finished({"a"}) == ({"a"}, {"b"})
    assert adapter.get_block_ids_with_load_errors() == {3, 2}
    adapter.handle_preemptions(True)
    adapter.shutdown()
    server.start()


def test_preemption_waits_for_stores(server: FakeServer, pool: FakePool) -> None:
    adapter = make(server)
    adapter.register_kv_caches(caches())
    adapter.submit_store_request("a", LoadStoreOp(TOKENS, [[4, 1, 3, 2]], 0, 32))
    adapter.handle_preemptions(False)
    adapter.handle_preemptions(True)
    assert len(pool.stored) == 2
    adapter.shutdown()


def test_rank_that_does_not_write_stores_nothing(server: FakeServer, pool: FakePool) -> None:
    adapter = make(server, rank=1, mla=True)
    adapter.register_kv_caches(caches())
    adapter.submit_store_request("a", LoadStoreOp(TOKENS, [[4, 1]], 0, 16))
    assert adapter.get_finished({"a"}) == ({"a"}, None)
    assert not pool.stored
    adapter.shutdown()


@pytest.mark.parametrize("blocks", [[[4]], [[4, 99]], [[-1, 4]], [[1, 2], [3, 4]]])
def test_blocks_that_do_not_fit_fail_the_load(server: FakeServer, pool: FakePool, blocks: list[list[int]]) -> None:
    adapter = make(server)
    adapter.register_kv_caches(caches())
    adapter.submit_store_request("a", LoadStoreOp(TOKENS, [[4, 1]], 0, 16))
    finish(adapter, {"a"})
    adapter.submit_retrieve_request("b", LoadStoreOp(TOKENS, blocks, 0, 16))
    assert finish(adapter, set()) == (set(), {"b"})
    assert adapter.get_failed_request_ids() == {"b"}
    adapter.shutdown()


def test_slot_outside_the_pool_fails_the_load(server: FakeServer, pool: FakePool) -> None:
    slot = {"offset": pool.size, "length": SLOT_BYTES, "shape": [], "dtype": "float32"}
    server.script["prepare_retrieve"] = {"success": True, "data": b"", "context": {"slots": [slot]}}
    adapter = make(server)
    adapter.register_kv_caches(caches())
    adapter.submit_retrieve_request("b", LoadStoreOp(TOKENS, [[4, 1]], 0, 16))
    assert finish(adapter, set()) == (set(), {"b"})
    assert adapter.get_failed_request_ids() == {"b"}
    adapter.shutdown()


def test_refused_registration_raises_at_once(server: FakeServer) -> None:
    server.script["register_kv_cache_engine_driven_context"] = Refusal("error: wrong dtype")
    adapter = make(server)
    with pytest.raises(ValueError, match="wrong dtype"):
        adapter.register_kv_caches(caches())
    adapter.shutdown()


def test_no_server_at_start_is_one_clear_error() -> None:
    with pytest.raises(ConnectionError, match="did not tell its chunk size"):
        LMCacheMPWorkerAdapter("tcp://127.0.0.1:1", None, "m", 1, 0, BLOCK, mq_timeout=0.05)


def test_block_size_that_does_not_fit_is_one_clear_error(server: FakeServer) -> None:
    with pytest.raises(ValueError, match="chunk size 16 is not a multiple of the engine's block size 12"):
        LMCacheMPWorkerAdapter(server.url, None, "m", 1, 0, 12)


def test_server_moves_bytes_through_shared_tensors(server: FakeServer) -> None:
    server.script["register_kv_cache"] = NO_VALUE
    server.script["store"] = [b"stub_ipc_handle", True]
    server.script["retrieve"] = [b"", False]
    adapter = make(server, extra_config={"lmcache.mp.mp_transfer_mode": "lmcache_driven"})
    tensors = caches("NHD")
    before = {name: tensor.clone() for name, tensor in tensors.items()}
    adapter.register_kv_caches(tensors, layout_hints={"kv_layout": "NHD"})
    for name, tensor in tensors.items():
        assert torch.equal(tensor, before[name])
        assert tensor.shape == before[name].shape
    _, descriptors, model, world, engine, hints, _ = server.of("register_kv_cache")[0]
    assert (model, world, engine, hints, len(descriptors)) == ("m", 1, "vllm", {"kv_layout": "NHD"}, LAYERS)
    adapter.submit_store_request("a", LoadStoreOp(TOKENS, [[4, 1]], 0, 16))
    assert finish(adapter, {"a"}) == ({"a"}, set())
    assert server.of("store")[0][2:] == [[[4, 1]], b"stub_ipc_handle"]
    adapter.submit_retrieve_request("b", LoadStoreOp(TOKENS, [[3, 2]], 0, 16, 8))
    assert finish(adapter, set()) == (set(), {"b"})
    assert adapter.get_block_ids_with_load_errors() == {2}
    assert server.of("retrieve")[0][2:] == [[[3, 2]], b"stub_ipc_handle", 8]
    adapter.shutdown()
