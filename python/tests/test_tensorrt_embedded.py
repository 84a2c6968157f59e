# lmcache · SPDX-License-Identifier: Apache-2.0
"""The connector of preset `lmcache`: the cache is in the process of the stand-in engine."""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import tensorrt_interface as engine_side
from waiting import eventually

torch = pytest.importorskip("torch")

BLOCK, LAYERS, WIDTH, BLOCKS = 4, 3, 6, 64
TOKENS = [number * 7 % 1000 for number in range(30)]


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> Iterator[Any]:
    from lmcache.native import is_available

    pytest.importorskip("lmcache.inprocess.runtime_directory")
    if not is_available():
        pytest.skip("no liblmcache.so: set LMCACHE_LIBRARY, or build the product")
    tmp_path.chmod(0o700)
    monkeypatch.setenv("LMCACHE_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("LMCACHE_CHUNK_SIZE", "8")
    monkeypatch.setenv("LMCACHE_MAX_LOCAL_CPU_SIZE", "0.05")
    monkeypatch.delenv("LMCACHE_CONFIG_FILE", raising=False)
    engine_side.install(monkeypatch)
    import lmcache.integration.tensorrt_llm.tensorrt_adapter as adapter

    yield adapter
    adapter.destroy_engine()


class Engine(engine_side.TensorRTEngine):
    """A stand-in engine with our in-process connector in it."""

    def __init__(self, adapter: Any) -> None:
        arguments = engine_side.arguments(None, BLOCK)
        pool = torch.zeros(BLOCKS, LAYERS, 2, BLOCK * WIDTH, dtype=torch.bfloat16)
        worker = adapter.LMCacheKvConnectorWorker(arguments)
        super().__init__(adapter.LMCacheKvConnectorScheduler(arguments), worker, pool, BLOCK)
        worker.register_kv_caches(pool)
        eventually(lambda: self.scheduler._cache._links[0].is_usable)

    def run(self, number: int, tokens: list[int], **more: Any) -> int:
        """A whole prompt; returns the tokens that came from the cache."""
        item = engine_side.request(number, tokens, **more)
        matched = self.add(item)
        while self.positions[number] < len(tokens):
            self.step([item], 11)
        assert self.is_right(item, 0, len(tokens))
        self.finish(item)
        return matched


def test_second_run_loads_what_the_first_saved(package: Any) -> None:
    engine = Engine(package)
    assert engine.run(1, TOKENS) == 0
    assert engine.run(2, TOKENS) == 24
    assert engine.run(3, TOKENS[:24]) == 20
    assert engine.run(4, [*TOKENS[:17], 5, 6, 7]) == 16
    assert engine.run(5, TOKENS, cache_salt="other") == 0


def test_destroyed_engine_costs_the_cache_and_is_made_anew(package: Any) -> None:
    engine = Engine(package)
    engine.run(1, TOKENS)
    package.destroy_engine()
    package.destroy_engine()
    assert engine.run(2, TOKENS) == 0
    again = Engine(package)
    assert again.run(1, TOKENS) == 0
    assert again.run(2, TOKENS) == 24


def test_wrong_chunk_size_and_unknown_keys_refuse_the_start(
    package: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    monkeypatch.setenv("LMCACHE_CHUNK_SIZE", "10")
    with pytest.raises(ValueError, match="chunk_size 10 is not a multiple of tokens_per_block 4"):
        package.LMCacheKvConnectorWorker(engine_side.arguments(None, BLOCK))
    file = tmp_path / "cache.yaml"
    file.write_text("chunk_sise: 8\n")
    monkeypatch.setenv("LMCACHE_CONFIG_FILE", str(file))
    with pytest.raises(ValueError, match="chunk_size"):
        package.LMCacheKvConnectorWorker(engine_side.arguments(None, BLOCK))


def test_package_exports_the_classes(package: Any) -> None:
    import lmcache.integration.tensorrt_llm as exported

    assert exported.LMCacheKvConnectorWorker is package.LMCacheKvConnectorWorker
    assert exported.destroy_engine is package.destroy_engine
    assert "tensorrt_llm" in sys.modules
