# lmcache · SPDX-License-Identifier: Apache-2.0
"""The layerwise connector over the library: the cache lies in this process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from sglang_stage import LAYERS, layers, model

from lmcache.integration.sglang.sglang_adapter import LMCacheLayerwiseConnector, LoadMetadata, StoreMetadata
from lmcache.native import is_available
from lmcache.transfer.process_pool import ProcessPool
from lmcache.wire.types import EngineDrivenPool

CHUNK = 32

with_library = pytest.mark.skipif(not is_available(), reason="the library was not built")


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "lmcache.yaml"
    path.write_text(f"chunk_size: {CHUNK}\nlocal_cpu: true\nuse_layerwise: true\nmax_local_cpu_size: 0.0625\n")
    return str(path)


@pytest.fixture
def connector(config: str) -> Iterator[LMCacheLayerwiseConnector]:
    made = LMCacheLayerwiseConnector(model(), 1, 0, layers(1), layers(2), config)
    yield made
    made.close()


def pools(connector: LMCacheLayerwiseConnector) -> list[torch.Tensor]:
    return [layer for plane in connector._rows._rows for layer in plane]


@with_library
def test_bytes_come_back(connector: LMCacheLayerwiseConnector) -> None:
    assert connector.chunk_size() == CHUNK
    tokens = list(range(2 * CHUNK + 9))
    slots = torch.randperm(100, generator=torch.Generator().manual_seed(1))[: len(tokens)] + 1
    target = torch.arange(150, 150 + len(tokens))
    assert connector.start_load_kv(LoadMetadata(tokens, target, 0)) == 0
    connector.store_kv(StoreMetadata(None, tokens, slots, 0))
    assert connector.start_load_kv(LoadMetadata(tokens, target, 0)) == 2 * CHUNK
    for layer in range(LAYERS):
        connector.load_kv_layerwise(layer)
    for rows in pools(connector):
        assert torch.equal(rows[slots[: 2 * CHUNK]], rows[target[: 2 * CHUNK]])
    connector.reset()
    assert connector.start_load_kv(LoadMetadata(tokens, target, 0)) == 0


@with_library
def test_a_full_cache_makes_room(connector: LMCacheLayerwiseConnector) -> None:
    # 64 MiB hold 8,192 chunks of one allocation unit; twice as many are stored.
    slots = torch.arange(1, 1 + 4 * CHUNK)
    for first in range(0, 8 * CHUNK * 512, 4 * CHUNK):
        connector.store_kv(StoreMetadata(None, list(range(first, first + 4 * CHUNK)), slots, 0))
    last = list(range(first, first + 4 * CHUNK))
    assert connector.start_load_kv(LoadMetadata(last, torch.arange(100, 100 + 4 * CHUNK), 0)) == 4 * CHUNK


@with_library
def test_nothing_is_left_leased(connector: LMCacheLayerwiseConnector) -> None:
    tokens = list(range(CHUNK))
    connector.store_kv(StoreMetadata(None, tokens, torch.arange(1, 1 + CHUNK), 0))
    for _ in range(3):
        assert connector.start_load_kv(LoadMetadata(tokens, torch.arange(100, 100 + CHUNK), 0)) == CHUNK
        connector.load_kv_layerwise(LAYERS)
    assert connector.start_load_kv(LoadMetadata(tokens, torch.arange(3), 0)) == 0
    assert connector._link._server.usage()["leased_object_count"] == 0


@with_library
@pytest.mark.parametrize(("text", "error"), [("chunk_sise: 3\n", "chunk_size"), ("chunk_size: x\n", "chunk_size")])
def test_wrong_configurations_are_refused_in_one_line(tmp_path: Path, text: str, error: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=error) as caught:
        LMCacheLayerwiseConnector(model(), 1, 0, layers(1), layers(2), str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["", "pool", "process:", "process:-1", "process:0x10", "/process:1"])
def test_only_addresses_are_pools_of_this_process(name: str) -> None:
    with pytest.raises(ValueError, match="did not tell"):
        ProcessPool(EngineDrivenPool(name, 4096))
