# lmcache · SPDX-License-Identifier: Apache-2.0
"""Chunks inside messages: what goes in comes out, and nothing else does."""

from __future__ import annotations

import json
import os
import pathlib
import pickle
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from lmcache.transfer.inline_chunks import decoded, encoded  # noqa: E402

SHAPE = (2, 3, 4, 5)
TYPES = [torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.uint8, torch.int8]


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_round_trip(dtype: Any) -> None:
    chunks = [(100 * torch.rand(SHAPE)).to(dtype) for _ in range(3)]
    found = decoded(encoded(chunks), 3, dtype, SHAPE)
    assert all(torch.equal(a.view(torch.uint8), b.view(torch.uint8)) for a, b in zip(chunks, found, strict=True))


def test_one_plane_may_come_without_its_axis() -> None:
    chunk = torch.rand(3, 4, 5)
    assert torch.equal(decoded(encoded([chunk]), 1, torch.float32, (1, 3, 4, 5))[0][0], chunk)


GOLDENS = pathlib.Path(__file__).parents[2] / "Tests/WireGoldenTests/Goldens/wire-vectors.json"
PICKLES = [vector for vector in json.loads(GOLDENS.read_text())["vectors"] if vector["kind"] == "pickle"]


@pytest.mark.parametrize("vector", PICKLES, ids=lambda vector: vector["name"])
def test_golden_pickles_are_read(vector: dict[str, Any]) -> None:
    expected = vector["decoded"]
    dtype = getattr(torch, expected[0]["dtype"])
    found = decoded(bytes.fromhex(vector["hex"]), len(expected), dtype, tuple(expected[0]["shape"]))
    assert [chunk.numpy().tobytes().hex() for chunk in found] == [chunk["data_hex"] for chunk in expected]


class Harmful:
    def __reduce__(self) -> Any:
        return os.system, ("false",)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "cannot be read"),
        (b"\x80\x04", "cannot be read"),
        (pickle.dumps([Harmful()]), "posix.system is not part of a chunk"),
        (pickle.dumps([]), "1 chunks are due, the server sent 0"),
        (pickle.dumps(7), "the server sent int"),
        (pickle.dumps([7]), "the server sent <class 'int'>"),
        (encoded([torch.zeros(SHAPE, dtype=torch.int8)]), "the server sent torch.int8"),
        (encoded([torch.zeros(7)]), "120 elements is due, the server sent 7"),
        (pickle.dumps([torch.zeros(SHAPE).transpose(0, 3)], protocol=4), "with strides"),
    ],
)
def test_anything_else_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        decoded(data, 1, torch.float32, SHAPE)


def test_no_cut_is_read() -> None:
    data = encoded([torch.rand(SHAPE)])
    for length in range(0, len(data), 7):
        with pytest.raises(ValueError):
            decoded(data[:length], 1, torch.float32, SHAPE)
