# lmcache · SPDX-License-Identifier: Apache-2.0
"""Descriptors of memory that torch did not allocate, with a stand-in for the driver."""

from __future__ import annotations

import contextlib
import json
import pathlib
from types import SimpleNamespace

import msgspec
import pytest

from lmcache.transfer import cuda_raw
from lmcache.wire.types import as_extension

torch = pytest.importorskip("torch")

GOLDENS = pathlib.Path(__file__).parents[2] / "Tests/WireGoldenTests/Goldens/wire-vectors.json"


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device", lambda _: contextlib.nullcontext())
    identity = SimpleNamespace(uuid="GPU-0DB07A0E-dc2d-4caa-5b67-461cdb9ae06e")
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: identity)


def test_pool_of_an_engine_is_described_as_the_golden(device: None, monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = json.loads(GOLDENS.read_text())["vectors"]
    (golden,) = [vector for vector in vectors if vector["name"] == "request/register_kv_cache_trtllm"]
    pool = torch.empty(6, 2, 2, 32768, dtype=torch.bfloat16)
    base = pool.data_ptr() - 512
    monkeypatch.setattr(cuda_raw, "base_address", lambda address: base)
    monkeypatch.setattr(cuda_raw, "export_handle", lambda address: bytes(range(64)) if address == base else b"")
    descriptors = [as_extension(item) for item in cuda_raw.describe([pool])]
    assert msgspec.msgpack.encode(descriptors).hex() == golden["hex"][3]


def test_tensor_with_gaps_is_refused(device: None) -> None:
    with pytest.raises(RuntimeError, match="not contiguous"):
        cuda_raw.describe([torch.empty(4, 4)[:, :2]])


def test_missing_driver_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(name: str) -> None:
        raise OSError(f"{name}: no such file")

    monkeypatch.setattr(cuda_raw.ctypes, "CDLL", load)
    with pytest.raises(RuntimeError, match=r"the CUDA driver has no cuMemGetAddressRange_v2: libcuda\.so\.1"):
        cuda_raw.base_address(4096)


def test_driver_that_refuses_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = SimpleNamespace(cuIpcGetMemHandle=lambda *_: 801)
    monkeypatch.setattr(cuda_raw.ctypes, "CDLL", lambda _: driver)
    with pytest.raises(RuntimeError, match="cuIpcGetMemHandle failed with CUDA error 801"):
        cuda_raw.export_handle(4096)
