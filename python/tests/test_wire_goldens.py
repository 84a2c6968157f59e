# lmcache · SPDX-License-Identifier: Apache-2.0
"""Every golden request encodes to the same bytes, every golden answer decodes to the same value."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import msgspec
import pytest

from lmcache.wire.codec import encode_request, result_of, split_reply
from lmcache.wire.errors import RefusedError
from lmcache.wire.operations import decode_operation, encode_operation
from lmcache.wire.types import (
    BlockAllocationRecord,
    CacheKey,
    CUDATensor,
    EngineDrivenRegistration,
    EngineGroupInfo,
    SharedMemoryTensor,
    as_extension,
)

GOLDENS = pathlib.Path(__file__).parents[2] / "Tests/WireGoldenTests/Goldens/wire-vectors.json"
VECTORS = json.loads(GOLDENS.read_text())["vectors"]


def of_kind(kind: str) -> list[Any]:
    return [pytest.param(vector, id=vector["name"]) for vector in VECTORS if vector["kind"] == kind]


def plain(value: Any) -> Any:
    """A decoded golden value as Python has it; descriptors and keys become our types."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "$bytes" in value:
        return bytes.fromhex(value["$bytes"])
    if "$ext" in value:
        return as_extension(descriptor(value["data"]))
    if "$map" in value:
        return {plain(key): plain(item) for key, item in value["$map"]}
    mapping = {key: plain(item) for key, item in value.items()}
    if "token_ids" in mapping and "num_kv_readers" in mapping:
        return msgspec.convert(mapping, CacheKey)
    if "engine_group_id" in mapping:
        return msgspec.convert(mapping, EngineGroupInfo)
    if "new_block_ids" in mapping:
        return msgspec.convert(mapping, BlockAllocationRecord)
    if "hidden_dim_size" in mapping:
        return msgspec.convert(mapping, EngineDrivenRegistration)
    return mapping


def descriptor(data: dict[str, Any]) -> Any:
    kinds = {"cuda": CUDATensor, "cpu_shm": SharedMemoryTensor}
    return msgspec.convert(plain(data), kinds[data["type"]]) if data["type"] in kinds else plain(data)


@pytest.mark.parametrize("vector", of_kind("request"))
def test_request_encodes_to_the_golden_bytes(vector: dict[str, Any]) -> None:
    decoded = vector["decoded"]
    if "payloads" not in decoded:
        pytest.skip("its chunks are tested in test_inline_chunks")
    frames = encode_request(decoded["request_uid"], decoded["operation"], plain(decoded["payloads"]))
    assert [frame.hex() for frame in frames] == vector["hex"]


@pytest.mark.parametrize("vector", of_kind("response"))
def test_answer_decodes_to_the_golden_value(vector: dict[str, Any]) -> None:
    reply = split_reply([bytes.fromhex(frame) for frame in vector["hex"]])
    assert reply is not None
    decoded = vector["decoded"]
    assert reply.uid == decoded["request_uid"]
    if vector["name"] == "response/error_by_operation_mismatch":
        with pytest.raises(RefusedError, match="unsupported operation"):
            result_of(reply, "cb_unified_lookup")
        return
    value = msgspec.to_builtins(result_of(reply, decoded["operation"]), builtin_types=(bytes,))
    expected = plain(decoded["response"])
    assert without_defaults(value) == msgspec.to_builtins(expected, builtin_types=(bytes,))


def without_defaults(value: Any) -> Any:
    """Drops the fields that the sender left out."""
    if isinstance(value, dict):
        return {
            key: without_defaults(item)
            for key, item in value.items()
            if not (item is None and key in ("slots", "chunk_indices"))
        }
    if isinstance(value, (list, tuple)):
        return [without_defaults(item) for item in value]
    return value


@pytest.mark.parametrize("vector", of_kind("operation"))
def test_operation_frame(vector: dict[str, Any]) -> None:
    frame = bytes.fromhex(vector["hex"])
    name = decode_operation(frame)
    assert encode_operation(name) == frame


@pytest.mark.parametrize("vector", of_kind("descriptor_ext"))
def test_descriptor(vector: dict[str, Any]) -> None:
    assert msgspec.msgpack.encode(plain(vector["decoded"])).hex() == vector["hex"]


@pytest.mark.parametrize("frames", [[], [b"\x00"], [b"\xc1", b"\x16"], [b"\xa1a", b"\x16"], [b"\x00", b"\xc1"]])
def test_what_is_no_answer_is_ignored(frames: list[bytes]) -> None:
    assert split_reply(frames) is None
