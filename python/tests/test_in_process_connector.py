# lmcache · SPDX-License-Identifier: Apache-2.0
"""The in-process connector behind vLLM's own class and behind ours; skipped where vLLM is not installed."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from fabricated import output, request

torch = pytest.importorskip("torch")
pytest.importorskip("vllm")

import fake_embedded  # noqa: E402
from fake_embedded import CHUNK, EmbeddedServer  # noqa: E402
from fake_server import SILENCE  # noqa: E402
from in_process_stage import Engine, cache_config, vllm_config  # noqa: E402
from vllm.distributed.kv_transfer.kv_connector.v1.base import KVConnectorBase_V1, KVConnectorRole  # noqa: E402
from vllm.distributed.kv_transfer.kv_connector.v1.lmcache_connector import LMCacheConnectorV1  # noqa: E402

import lmcache.native  # noqa: E402
from lmcache.integration.vllm import in_process_worker  # noqa: E402
from lmcache.integration.vllm.lmcache_connector_v1 import LMCacheConnectorV1Dynamic  # noqa: E402
from lmcache.integration.vllm.lmcache_connector_v1_085 import LMCacheConnectorV1Dynamic as OldConnector  # noqa: E402

TOKENS = list(range(100, 140))
WHOLE = 32

Start = Callable[..., Engine]


@pytest.fixture(autouse=True)
def native(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Iterator[type[EmbeddedServer]]:
    """The library is a fake, and sockets lie in a folder of the test."""
    monkeypatch.setattr(lmcache.native, "resolve_configuration", fake_embedded.resolve_configuration)
    monkeypatch.setattr(lmcache.native, "EmbeddedServer", EmbeddedServer)
    for name in [name for name in os.environ if name.startswith("LMCACHE_")]:
        monkeypatch.delenv(name)
    folder = tmp_path / "run"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("LMCACHE_RUNTIME_DIR", str(folder))
    monkeypatch.setattr(EmbeddedServer, "failure", None)
    EmbeddedServer.instances.clear()
    yield EmbeddedServer
    for instance in EmbeddedServer.instances:
        instance.close()


@pytest.fixture
def said() -> Iterator[list[str]]:
    """What the package logs."""
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("lmcache")
    logger.addHandler(handler)
    yield lines
    logger.removeHandler(handler)


@pytest.fixture(params=[LMCacheConnectorV1, LMCacheConnectorV1Dynamic])
def start(request: pytest.FixtureRequest) -> Iterator[Start]:
    engines: list[Engine] = []

    def start(**options: Any) -> Engine:
        engines.append(Engine(request.param, **options))
        return engines[-1]

    yield start
    for engine in engines:
        engine.shutdown()


def test_what_one_request_stored_the_next_one_loads(start: Start) -> None:
    engine = start()
    cold = request("cold", TOKENS)
    assert engine.admit(cold, [1, 2, 3, 4, 5])[0].errors == set()
    assert engine.finish(cold) == (False, None)
    warm = request("warm", TOKENS)
    (seen,) = engine.admit(warm, [9, 8, 7, 6, 10])
    assert seen == SimpleNamespace(sent=None, errors=set())
    assert torch.equal(engine.blocks([9, 8, 7, 6]), engine.blocks([1, 2, 3, 4]))
    assert not torch.equal(engine.blocks([10]), engine.blocks([5]))
    assert len(EmbeddedServer.instances[0].stored) == WHOLE // CHUNK


def test_log_lines_keep_what_scripts_read(start: Start, said: list[str]) -> None:
    engine = start()
    engine.admit(request("a", TOKENS), [1, 2, 3, 4, 5])
    engine.admit(request("b", TOKENS), [9, 8, 7, 6, 10])
    text = "\n".join(said)
    assert "[req_id=a] Stored 32 out of total 32 tokens. size: 0.0000 GB, cost " in text
    assert "[req_id=b] Retrieved 32 out of 32 required tokens (from 40 total tokens). size: " in text
    assert "Reqid: b, Total tokens 40, Inference Engine computed tokens: 0, LMCache hit tokens: 32, need to load: 32" in (
        text
    )


def test_a_part_that_the_engine_has_is_neither_loaded_nor_written(start: Start) -> None:
    engine = start()
    engine.admit(request("a", TOKENS), [1, 2, 3, 4, 5])
    before = engine.blocks([11]).clone()
    engine.admit(request("b", TOKENS), [11, 12, 13, 14, 15], computed=8)
    assert torch.equal(engine.blocks([11]), before)
    assert torch.equal(engine.blocks([12, 13, 14]), engine.blocks([2, 3, 4]))


def test_a_full_hit_leaves_one_token(start: Start) -> None:
    engine = start()
    engine.admit(request("a", TOKENS[:WHOLE]), [1, 2, 3, 4])
    assert engine.matched(request("b", TOKENS[:WHOLE])) == WHOLE - 1


def test_a_hit_that_the_engine_has_itself_gives_its_leases_back(start: Start) -> None:
    engine = start()
    engine.admit(request("a", TOKENS), [1, 2, 3, 4, 5])
    engine.admit(request("b", TOKENS), [1, 2, 3, 4, 5], computed=WHOLE)
    wait_for(lambda: EmbeddedServer.instances[0].server.of("free_lookup_locks"))
    (key, readers), *_ = EmbeddedServer.instances[0].server.of("free_lookup_locks")
    assert (key["request_id"], key["start"], key["end"], readers) == ("b", 0, WHOLE, 1)


def wait_for(condition: Callable[[], object], seconds: float = 5) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_chunked_prefill_stores_each_chunk_once(start: Start) -> None:
    engine = start()
    a = request("a", TOKENS)
    engine.admit(a, [1, 2, 3], scheduled=20)
    engine.step(output(running=[("a", [[4, 5]], 20, 20)]))
    stores = [(key["start"], key["end"]) for key, *_ in EmbeddedServer.instances[0].server.of("store")]
    assert stores == [(0, 16), (16, 32)]


def test_decode_is_stored_only_when_wanted(start: Start) -> None:
    for engine_id, wanted, expected in (("one", False, 2), ("two", True, 3)):
        engine = start(engine=engine_id, save_decode_cache=wanted)
        a = request("a", list(TOKENS), num_prompt_tokens=len(TOKENS))
        engine.admit(a, [1, 2, 3, 4, 5])
        a.all_token_ids = TOKENS + list(range(8))
        engine.step(output(running=[("a", [[6]], 40, 8)]))
        assert len(EmbeddedServer.instances[-1].stored) == expected


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        ({"role": "kv_consumer"}, {}),
        ({}, {"sampling_params": SimpleNamespace(extra_args={"kv_transfer_params": {"lmcache.skip_save": True}})}),
        ({"priority_limit": 3}, {"priority": 4}),
        ({"skip_last_n_tokens": 25}, {}),
        ({"role": "forced"}, {}),
    ],
)
def test_what_must_not_be_stored(
    start: Start, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], fields: dict[str, Any]
) -> None:
    if options.get("role") == "forced":
        monkeypatch.setenv("LMCACHE_FORCE_SKIP_SAVE", "1")
        options = {}
    engine = start(**options)
    engine.admit(request("a", TOKENS, **fields), [1, 2, 3, 4, 5])
    assert EmbeddedServer.instances[0].stored == {}


def test_a_producer_never_looks_up_and_a_consumer_loads(start: Start) -> None:
    producer = start(role="kv_producer", engine="producer")
    producer.admit(request("a", TOKENS), [1, 2, 3, 4, 5])
    assert producer.matched(request("b", TOKENS)) == 0
    assert EmbeddedServer.instances[0].server.of("lookup") == []
    consumer = start(role="kv_consumer", engine="consumer")
    EmbeddedServer.instances[1].stored.update(EmbeddedServer.instances[0].stored)
    assert consumer.matched(request("c", TOKENS)) == WHOLE


def test_small_hits_are_not_loaded_and_large_ones_are_cut(start: Start) -> None:
    engine = start(min_retrieve_tokens=33, engine="least")
    engine.admit(request("a", TOKENS), [1, 2, 3, 4, 5])
    assert engine.matched(request("b", TOKENS)) == 0
    engine = start(max_tokens_per_load=20, engine="most")
    engine.admit(request("a", TOKENS), [1, 2, 3, 4, 5])
    before = engine.blocks([8, 9]).clone()
    engine.admit(request("b", TOKENS), [6, 7, 8, 9, 10])
    assert torch.equal(engine.blocks([6, 7]), engine.blocks([1, 2]))
    assert torch.equal(engine.blocks([8, 9]), before)
    server = EmbeddedServer.instances[-1].server
    wait_for(lambda: server.of("free_lookup_locks"))
    assert [(key["start"], key["end"]) for key, _ in server.of("free_lookup_locks")] == [(16, 32)]


def test_made_up_requests_are_left_alone(start: Start) -> None:
    engine = start()
    engine.admit(request("mock_req_1", TOKENS), [1, 2, 3, 4, 5])
    assert not {"lookup", "store"} & set(EmbeddedServer.instances[0].server.names())


def test_layerwise_waits_at_the_first_layer(start: Start) -> None:
    engine = start(use_layerwise=True)
    engine.admit(request("a", TOKENS), [1, 2, 3, 4, 5])
    (seen,) = engine.admit(request("b", TOKENS), [9, 8, 7, 6, 10])
    assert not seen.errors
    assert torch.equal(engine.blocks([9, 8, 7, 6]), engine.blocks([1, 2, 3, 4]))


def test_layerwise_without_layer_hooks_counts_as_failed(start: Start) -> None:
    engine = start(use_layerwise=True)
    engine.admit(request("a", TOKENS), [1, 2, 3, 4, 5])
    b = request("b", TOKENS)
    engine.scheduler.update_state_after_alloc(b, None, engine.matched(b))
    worker = engine.workers[0]
    worker.bind_connector_metadata(engine.scheduler.build_connector_meta(output(new=[("b", [[9, 8, 7, 6, 5]], 32, 8)])))
    worker.start_load_kv(None)
    worker.wait_for_save()
    assert worker.get_block_ids_with_load_errors() == {9, 8, 7, 6}


def test_a_failed_load_is_told_and_nothing_computed_from_it_is_stored(start: Start) -> None:
    engine = start()
    longer = TOKENS + list(range(200, 224))
    engine.admit(request("a", TOKENS), [1, 2, 3, 4, 5])
    cache = EmbeddedServer.instances[0]
    cache.server.script["retrieve"] = lambda *_: [b"", False]
    b = request("b", longer)
    (seen,) = engine.admit(b, [9, 8, 7, 6, 10, 11, 12, 13], scheduled=24)
    assert seen.errors == {9, 8, 7, 6}
    assert len(cache.stored) == 2
    # The engine had begun another step by then.
    engine.step(output(running=[("b", [[]], 56, 8)]))
    assert len(cache.stored) == 2
    # Now it computes everything again.
    engine.step(output(running=[("b", [[]], 0, 64)]))
    assert [(key["start"], key["end"]) for key, *_ in cache.server.of("store")][1:] == [(0, 64)]
    assert len(cache.stored) == 4


def test_of_several_workers_the_least_counts_and_surplus_is_freed(start: Start) -> None:
    engine = start(world=2)
    engine.admit(request("a", TOKENS), [1, 2, 3, 4, 5])
    first, second = EmbeddedServer.instances
    assert len(first.stored) == len(second.stored) == 2
    second.stored = dict(list(second.stored.items())[:1])
    engine.admit(request("b", TOKENS), [9, 8, 7, 6, 10])
    for rank in range(2):
        assert torch.equal(engine.blocks([9, 8], rank), engine.blocks([1, 2], rank))
    wait_for(lambda: first.server.of("free_lookup_locks"))
    assert [(key["start"], key["end"]) for key, _ in first.server.of("free_lookup_locks")] == [(16, 32)]


def test_several_workers_store_only_what_no_failed_load_can_have_spoiled(start: Start) -> None:
    engine = start(world=2)
    longer = TOKENS + list(range(200, 224))
    engine.admit(request("a", TOKENS), [1, 2, 3, 4, 5])
    first, second = EmbeddedServer.instances
    second.server.script["retrieve"] = lambda *_: [b"", False]
    b = request("b", longer)
    seen = engine.admit(b, [9, 8, 7, 6, 10, 11, 12, 13])
    assert [one.errors for one in seen] == [set(), {9, 8, 7, 6}]
    engine.step(output(running=[("b", [[]], 64, 1)]))
    assert [len(first.stored), len(second.stored)] == [2, 2]
    engine.step(output(running=[("b", [[]], 0, 64)]))
    for computed in range(64, 70):
        engine.step(output(running=[("b", [[]], computed, 1)]))
    assert [len(first.stored), len(second.stored)] == [4, 4]
    for cache in (first, second):
        assert cache.server.of("store")[1][0]["start"] == 0


def test_several_workers_store_after_a_good_load(start: Start) -> None:
    engine = start(world=2)
    longer = TOKENS + list(range(200, 224))
    engine.admit(request("a", TOKENS), [1, 2, 3, 4, 5])
    engine.admit(request("b", longer), [9, 8, 7, 6, 10, 11, 12, 13])
    counts = [len(cache.stored) for cache in EmbeddedServer.instances]
    assert counts == [2, 2]
    for computed in range(64, 68):
        engine.step(output(running=[("b", [[]], computed, 1)]))
    assert [len(cache.stored) for cache in EmbeddedServer.instances] == [4, 4]


def test_a_request_that_ends_early_keeps_its_blocks_for_one_step(start: Start) -> None:
    engine = start(world=2)
    longer = TOKENS + list(range(200, 224))
    engine.admit(request("a", TOKENS), [1, 2, 3, 4, 5])
    for name, status, keeps in (("b", "FINISHED_LENGTH_CAPPED", True), ("c", "FINISHED_ABORTED", False)):
        one = request(name, [*longer[:-8], *range(ord(name), ord(name) + 8)])
        engine.admit(one, [9, 8, 7, 6, 10, 11, 12, 13])
        assert engine.finish(one, status)[0] is keeps
        seen = engine.step(output(), finished={name})
        assert [each.sent for each in seen] == [{name} if keeps else None] * 2
    # Of the third and fourth chunk, those of the request that was not aborted.
    assert [len(cache.stored) for cache in EmbeddedServer.instances] == [4, 4]


def test_a_preempted_request_is_looked_up_and_loaded_again(start: Start) -> None:
    engine = start()
    a = request("a", TOKENS)
    engine.admit(a, [1, 2, 3, 4, 5])
    a.num_preemptions = 1
    found = engine.matched(a)
    assert found == WHOLE
    engine.scheduler.update_state_after_alloc(a, None, found)
    blocks = [[20, 21, 22, 23, 24]]
    (seen,) = engine.step(output(running=[("a", blocks, 32, 8)], resumed={"a"}), has_loads=True)
    assert not seen.errors
    assert torch.equal(engine.blocks([20, 21, 22, 23]), engine.blocks([1, 2, 3, 4]))


def test_a_dead_worker_is_a_miss_and_no_wait(start: Start) -> None:
    engine = start()
    engine.admit(request("a", TOKENS), [1, 2, 3, 4, 5])
    EmbeddedServer.instances[0].close()
    worker = engine.workers[0]._lmcache_engine._worker
    wait_for(lambda: not engine.impl._scheduler.adapter.is_healthy and not worker._health.is_healthy)
    began = time.monotonic()
    assert engine.matched(request("b", TOKENS)) == 0
    engine.admit(request("c", TOKENS), [1, 2, 3, 4, 5])
    assert time.monotonic() - began < 1


def test_a_silent_worker_costs_its_deadline_once(start: Start) -> None:
    engine = start(lookup_timeout_ms=100)
    EmbeddedServer.instances[0].server.script["lookup"] = SILENCE
    a = request("a", TOKENS)
    began = time.monotonic()
    first, _ = engine.scheduler.get_num_new_matched_tokens(a, 0)
    assert first is None and time.monotonic() - began < 0.09
    assert engine.matched(a) == 0
    assert time.monotonic() - began < 2


def test_a_transfer_that_never_ends_closes_the_cache(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_process_worker, "TRANSFER_SECONDS", 0.05)
    engine = start()
    engine.admit(request("a", TOKENS), [1, 2, 3, 4, 5])
    cache = EmbeddedServer.instances[0]
    cache.server.script["retrieve"] = SILENCE
    (seen,) = engine.admit(request("b", TOKENS), [9, 8, 7, 6, 10])
    assert seen.errors == {9, 8, 7, 6}
    assert cache.is_closed
    wait_for(lambda: not engine.impl._scheduler.adapter.is_healthy)
    assert engine.matched(request("c", TOKENS)) == 0
    assert engine.admit(request("d", TOKENS), [1, 2, 3, 4, 5])[0].errors == set()


@pytest.mark.parametrize(
    ("failure", "options", "expected"),
    [
        (OSError("library of ABI 7, not 1"), {}, "library of ABI 7, not 1"),
        (None, {"chunk_sise": 1}, "did you mean 'chunk_size'"),
        (None, {"chunk_size": 12}, "not a multiple of"),
    ],
)
def test_what_goes_wrong_at_start_is_one_line_and_no_cache(
    start: Start,
    monkeypatch: pytest.MonkeyPatch,
    said: list[str],
    failure: Exception | None,
    options: dict[str, Any],
    expected: str,
) -> None:
    monkeypatch.setattr(EmbeddedServer, "failure", failure)
    monkeypatch.setattr("lmcache.integration.vllm.scheduler_adapter.ServerHealth.start", lambda self: None)
    engine = start(lookup_timeout_ms=100, **options)
    lines = [line for line in said if "LMCache is off in the worker" in line]
    assert len(lines) == 1 and expected in lines[0]
    assert engine.matched(request("a", TOKENS)) == 0
    assert engine.admit(request("b", TOKENS), [1, 2, 3, 4, 5])[0] == SimpleNamespace(sent=None, errors=set())
    assert engine.finish(request("b", TOKENS)) == (False, None)


def test_a_registration_that_fails_leaves_an_engine_that_computes(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EmbeddedServer, "_register", lambda *_: 1 / 0)
    monkeypatch.setattr(in_process_worker.LMCacheDrivenContext, "register", lambda self: 1 / 0)
    engine = start(lookup_timeout_ms=100)
    assert EmbeddedServer.instances[0].is_closed
    assert engine.admit(request("a", TOKENS), [1, 2, 3, 4, 5])[0].errors == set()


def test_an_unwritable_folder_is_one_line(
    start: Start, monkeypatch: pytest.MonkeyPatch, said: list[str], tmp_path: Any
) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o755)
    monkeypatch.setenv("LMCACHE_RUNTIME_DIR", str(folder))
    engine = start()
    assert "must be a directory of user" in "\n".join(said)
    assert engine.matched(request("a", TOKENS)) == 0


def test_idle_steps_cost_nothing(start: Start) -> None:
    engine = start()
    engine.admit(request("a", TOKENS), [1, 2, 3, 4, 5])
    before = len(EmbeddedServer.instances[0].server.requests)
    count = 2000
    scheduled = output(running=[("a", None, 40, 1)])
    began = time.perf_counter()
    for _ in range(count):
        engine.scheduler.build_connector_meta(scheduled)
    scheduling = (time.perf_counter() - began) / count
    worker = engine.workers[0]
    worker.bind_connector_metadata(engine.scheduler.build_connector_meta(scheduled))
    began = time.perf_counter()
    for _ in range(count):
        worker.start_load_kv(None)
        worker.wait_for_save()
        worker.get_finished(set())
    working = (time.perf_counter() - began) / count
    assert len(EmbeddedServer.instances[0].server.requests) <= before + 1
    # A generous limit for busy machines; the figure belongs into the benchmark.
    assert scheduling < 2e-4 and working < 2e-4


def test_two_engines_with_one_id_do_not_share_a_socket(start: Start, said: list[str]) -> None:
    first = start()
    start()
    assert "another engine with this engine id" in "\n".join(said)
    first.admit(request("a", TOKENS), [1, 2, 3, 4, 5])
    assert len(EmbeddedServer.instances) == 1


def test_no_thread_is_left(start: Start) -> None:
    before = {thread.name for thread in threading.enumerate()}
    engine = start()
    engine.admit(request("a", TOKENS), [1, 2, 3, 4, 5])
    engine.shutdown()
    wait_for(lambda: {t.name for t in threading.enumerate() if t.name.startswith("lmcache")} <= before)


def test_both_halves_can_be_built_directly() -> None:
    config = vllm_config()
    worker = LMCacheConnectorV1Dynamic(config, KVConnectorRole.WORKER, cache_config())
    scheduler = LMCacheConnectorV1Dynamic(config, KVConnectorRole.SCHEDULER, cache_config())
    scheduler.shutdown()
    worker.shutdown()
    worker.shutdown()


class TestOldForm:
    """vLLM 0.8.5: a number at once, memory from the forward pass, no word for a failed load, no end of a request."""

    @pytest.fixture(autouse=True)
    def old_base(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def initialize(connector: Any, vllm_config: Any, role: Any) -> None:
            connector._connector_metadata = None

        monkeypatch.setattr(KVConnectorBase_V1, "__init__", initialize)

    def start(self) -> tuple[Any, Any, dict[str, Any], Any]:
        config = vllm_config()
        worker = OldConnector(config, KVConnectorRole.WORKER)
        tensors = {name: torch.rand(32, 2, 8, 4) for name in ("layer.0", "layer.1")}
        layers = {name: SimpleNamespace(kv_cache=[tensor]) for name, tensor in tensors.items()}
        layers["other"] = SimpleNamespace()
        context = SimpleNamespace(no_compile_layers=layers, virtual_engine=0)
        return worker, OldConnector(config, KVConnectorRole.SCHEDULER), tensors, context

    def step(self, scheduler: Any, worker: Any, context: Any, scheduled: Any) -> None:
        worker.bind_connector_metadata(scheduler.build_connector_meta(scheduled))
        worker.start_load_kv(context)
        worker.wait_for_save()
        worker.clear_connector_metadata()

    def test_stores_and_loads(self) -> None:
        worker, scheduler, tensors, context = self.start()
        try:
            a, b = request("a", TOKENS), request("b", TOKENS)
            assert scheduler.get_num_new_matched_tokens(a, 0) == 0
            scheduler.update_state_after_alloc(a, 0)
            self.step(scheduler, worker, context, output(new=[("a", [[1, 2, 3, 4, 5]], 0, 40)]))
            assert scheduler.get_num_new_matched_tokens(b, 0) == WHOLE
            scheduler.update_state_after_alloc(b, WHOLE)
            self.step(scheduler, worker, context, output(new=[("b", [[9, 8, 7, 6, 10]], 32, 8)]))
            for tensor in tensors.values():
                assert torch.equal(tensor[[9, 8, 7, 6]], tensor[[1, 2, 3, 4]])
            ended = output()
            ended.finished_req_ids = {"a", "b"}
            self.step(scheduler, worker, context, ended)
            assert scheduler._lmcache_engine._scheduler.trackers == {}
        finally:
            scheduler.shutdown()
            worker.shutdown()

    def test_a_failed_load_ends_the_step(self) -> None:
        worker, scheduler, _, context = self.start()
        try:
            a, b = request("a", TOKENS), request("b", TOKENS)
            scheduler.get_num_new_matched_tokens(a, 0)
            scheduler.update_state_after_alloc(a, 0)
            self.step(scheduler, worker, context, output(new=[("a", [[1, 2, 3, 4, 5]], 0, 40)]))
            EmbeddedServer.instances[0].server.script["retrieve"] = lambda *_: [b"", False]
            scheduler.update_state_after_alloc(b, scheduler.get_num_new_matched_tokens(b, 0))
            worker.bind_connector_metadata(
                scheduler.build_connector_meta(output(new=[("b", [[9, 8, 7, 6, 10]], 32, 8)]))
            )
            with pytest.raises(RuntimeError, match="4 blocks could not be loaded"):
                worker.start_load_kv(context)
        finally:
            scheduler.shutdown()
            worker.shutdown()
