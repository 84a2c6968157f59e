# lmcache · SPDX-License-Identifier: Apache-2.0
"""What TensorRT-LLM finds in our package, and how the adapters read their configuration."""

from __future__ import annotations

import importlib
import inspect
import json
import pickle
import subprocess
import sys
from typing import Any

import pytest
import tensorrt_interface as engine_side
from fake_server import SILENCE, FakeServer

PACKAGE = "lmcache.integration.tensorrt_llm"
PRESETS = {
    "lmcache": (f"{PACKAGE}.tensorrt_adapter", "LMCacheKvConnectorScheduler", "LMCacheKvConnectorWorker"),
    "lmcache-mp": (f"{PACKAGE}.tensorrt_mp_adapter", "LMCacheMPKvConnectorScheduler", "LMCacheMPKvConnectorWorker"),
}


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("is_old", [False, True])
def test_presets_resolve_to_classes_of_the_interface(
    preset: str, is_old: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine_side.install(monkeypatch, is_old)
    module_name, scheduler_name, worker_name = PRESETS[preset]
    module = importlib.import_module(module_name)
    interface = sys.modules[engine_side.OLD if is_old else engine_side.NEW]
    for name, base in ((scheduler_name, "KvCacheConnectorScheduler"), (worker_name, "KvCacheConnectorWorker")):
        found, base_class = getattr(module, name), getattr(interface, base)
        assert issubclass(found, base_class)
        assert not inspect.isabstract(found)
        for method in base_class.__abstractmethods__:
            expected = inspect.signature(getattr(base_class, method)).parameters
            assert list(inspect.signature(getattr(found, method)).parameters) == list(expected), method
        assert getattr(importlib.import_module(PACKAGE), name) is found


def test_package_exports_destroy_engine_without_the_engine() -> None:
    code = f"""
import sys
from {PACKAGE} import destroy_engine
destroy_engine()
print(sorted({{"torch", "tensorrt_llm"}} & set(sys.modules)))
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": ":".join(sys.path)}
    )
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("config", "variable", "expected"),
    [
        ("tcp://a:1", "tcp://b:2", "tcp://a:1"),
        (None, "b:2", "tcp://b:2"),
        (None, None, "ipc:///tmp/lmcache.sock"),
    ],
)
def test_server_url_order(
    config: str | None, variable: str | None, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lmcache.integration.tensorrt_llm.settings import server_url

    monkeypatch.delenv("LMCACHE_SERVER_URL", raising=False)
    if variable is not None:
        monkeypatch.setenv("LMCACHE_SERVER_URL", variable)
    assert server_url(engine_side.arguments(config)) == expected


@pytest.mark.parametrize("given", ["soon", "0", "-1", "inf"])
def test_timeout_that_is_none_is_named(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from lmcache.integration.tensorrt_llm.settings import mq_timeout

    monkeypatch.setenv("LMCACHE_MQ_TIMEOUT", given)
    with pytest.raises(ValueError, match="LMCACHE_MQ_TIMEOUT"):
        mq_timeout()


@pytest.fixture
def scheduler(monkeypatch: pytest.MonkeyPatch) -> Any:
    engine_side.install(monkeypatch)
    from lmcache.integration.tensorrt_llm.tensorrt_mp_adapter import LMCacheMPKvConnectorScheduler

    server = FakeServer({"get_chunk_size": 8, "wait_prefetch_status": 2})
    made = LMCacheMPKvConnectorScheduler(engine_side.arguments(server.url))
    made.server = server
    yield made
    made.shutdown()
    server.stop()


TOKENS = list(range(20))


def test_lookup_waits_with_a_budget_and_asks_for_whole_chunks(scheduler: Any) -> None:
    assert scheduler.get_num_new_matched_tokens(engine_side.request(7, TOKENS), 0) == (16, False)
    ((key, _),) = scheduler.server.of("lookup")
    assert (key["start"], key["end"], key["worker_id"], key["world_size"]) == (0, 16, None, 1)
    ((name, seconds),) = scheduler.server.of("wait_prefetch_status")
    assert name == key["request_id"] and 0 < seconds <= 1


def test_chunks_of_the_engines_own_cache_are_given_back(scheduler: Any) -> None:
    assert scheduler.get_num_new_matched_tokens(engine_side.request(7, TOKENS), 12) == (4, False)
    assert scheduler.get_num_new_matched_tokens(engine_side.request(8, TOKENS), 16) == (0, False)
    scheduler.request_finished(engine_side.request(7, TOKENS), [])
    scheduler.server.of("end_session")
    _wait(scheduler.server, "end_session")
    assert [(key["start"], key["end"]) for key, _ in scheduler.server.of("free_lookup_locks")] == [(0, 8)]


def test_answer_that_is_not_there_in_time_is_a_miss(scheduler: Any) -> None:
    scheduler.server.script["wait_prefetch_status"] = None
    assert scheduler.get_num_new_matched_tokens(engine_side.request(7, TOKENS), 0) == (0, False)
    _wait(scheduler.server, "end_session")


def test_silence_is_a_miss_and_is_not_waited_for_twice(scheduler: Any) -> None:
    scheduler.server.script["lookup"] = SILENCE
    scheduler.server.script["ping"] = SILENCE
    assert scheduler.get_num_new_matched_tokens(engine_side.request(7, TOKENS), 0) == (0, False)
    assert scheduler.get_num_new_matched_tokens(engine_side.request(8, TOKENS), 0) == (0, False)
    assert len(scheduler.server.of("lookup")) == 1


def test_metadata_can_be_sent_to_other_ranks(scheduler: Any) -> None:
    scheduler.get_num_new_matched_tokens(engine_side.request(7, TOKENS), 0)
    data = engine_side.RequestData(7, TOKENS, [1, 2, 3, 4, 5], 0, 4)
    metadata = scheduler.build_connector_meta(engine_side.SchedulerOutput(new_requests=[data]))
    assert pickle.loads(pickle.dumps(metadata)) == metadata
    assert [(load.start, load.end) for load in metadata.loads] == [(0, 16)]


def _wait(server: FakeServer, operation: str) -> None:
    from waiting import eventually

    eventually(lambda: server.of(operation))


def test_ranks_agree_on_failed_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    engine_side.install(monkeypatch)
    from lmcache.integration.tensorrt_llm.cache_worker import CacheWorker, LoadFailedError
    from lmcache.integration.tensorrt_llm.plans import BlockTransfer, ConnectorMetadata
    from lmcache.integration.tensorrt_llm.settings import EngineSettings
    from lmcache.v1.multiprocess.futures import MessagingFuture

    class Context:
        def create_event(self) -> None: ...

        def register(self) -> None: ...

        def retrieve(self, job: Any) -> MessagingFuture[bool]:
            future: MessagingFuture[bool] = MessagingFuture()
            future.set_result(True)
            return future

    class Link:
        is_usable = True

    settings = EngineSettings("m", 4, 2, 0, 1.0)
    worker = CacheWorker(settings, Link(), 2, 0, agree=lambda value: False)  # type: ignore[arg-type]
    worker.attach(Context())  # type: ignore[arg-type]
    worker.load(ConnectorMetadata())
    worker.check_loads()
    worker.load(ConnectorMetadata(loads=[BlockTransfer(1, "r", [1], [1], 0, 8)]))
    with pytest.raises(LoadFailedError, match="another rank"):
        worker.check_loads()
    worker.check_loads()


@pytest.mark.parametrize(
    ("config", "heads", "size"),
    [
        ({"hidden_size": 64, "num_attention_heads": 8}, 4, 8),
        ({"hidden_size": 64, "num_attention_heads": 8, "head_dim": 16}, 2, 16),
        ({"text_config": {"hidden_size": 64, "num_attention_heads": 4}}, 2, 16),
        ({"head_dim": 24}, 1, 32),  # No divisor of what the pool has.
        ({}, 1, 32),
        (None, 1, 32),
    ],
)
def test_pool_is_described_by_the_models_configuration(
    config: dict[str, Any] | None, heads: int, size: int, tmp_path: Any
) -> None:
    torch = pytest.importorskip("torch")
    from lmcache.integration.tensorrt_llm.pool import layout_hints

    if config is not None:
        (tmp_path / "config.json").write_text(json.dumps(config))
    hints = layout_hints(torch.zeros(5, 3, 2, 4 * 32), 4, str(tmp_path))
    assert hints == {"kv_layout": "HND", "num_kv_heads": heads, "tokens_per_block": 4, "head_dim": size}
