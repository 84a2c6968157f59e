# lmcache · SPDX-License-Identifier: Apache-2.0
"""The values that requests are made of."""

from __future__ import annotations

import itertools
import os
import pathlib
from typing import Any

import msgspec

MODEL = "conformance/model"
CHUNK = 32
"""The chunk size of the server that the conformance runs start."""

EVENT = b"stub_ipc_handle"

_numbers = itertools.count(1)


def fresh_number() -> int:
    """A number that no other part of this run has; serves as an instance id and as a seed of tokens."""
    return (os.getpid() << 20) + next(_numbers)


def fresh_request() -> str:
    return f"conformance-{fresh_number()}"


def fresh_tokens(chunks: int, extra: int = 0) -> list[int]:
    """Tokens that share no chunk with any others of this run."""
    return [fresh_number() & 0xFFFFFFFF, *range(1, chunks * CHUNK + extra)]


def key(tokens: list[int], worker: int | None = 0, **changes: Any) -> dict[str, Any]:
    """A key over all whole chunks of `tokens`; `worker` nil makes it a scheduler's."""
    return {
        "model_name": MODEL,
        "world_size": 1,
        "worker_id": worker,
        "token_ids": tokens,
        "start": 0,
        "end": len(tokens) // CHUNK * CHUNK,
        "request_id": fresh_request(),
        "cache_salt": "",
        "request_configs": None,
        "num_kv_readers": 1,
        **changes,
    }


def engine_driven_registration(instance: int, **changes: Any) -> dict[str, Any]:
    """Two layers of 16 values a token, K and V apart, float16."""
    return {
        "instance_id": instance,
        "model_name": MODEL,
        "world_size": 1,
        "block_size": 16,
        "num_layers": 2,
        "hidden_dim_size": 16,
        "dtype_str": "float16",
        "use_mla": False,
        "num_physical_slots": CHUNK,
        **changes,
    }


OBJECT_SHAPE = [2, 2, CHUNK, 16]
OBJECT_BYTES = 2 * 2 * CHUNK * 16 * 2


class Segment:
    """A POSIX shared memory segment such as a client makes for its own KV memory."""

    def __init__(self, size: int, name: str | None = None) -> None:
        self.name = name or f"/lmcache_kv_{os.getpid()}_{next(_numbers)}"
        self.path = pathlib.Path("/dev/shm") / self.name.lstrip("/")
        self.path.touch(0o600)
        self.resize(size)

    def resize(self, size: int) -> None:
        os.truncate(self.path, size)

    def write(self, offset: int, data: bytes) -> None:
        with self.path.open("r+b") as file:
            file.seek(offset)
            file.write(data)

    def read(self, offset: int, length: int) -> bytes:
        with self.path.open("rb") as file:
            file.seek(offset)
            return file.read(length)

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)


BLOCKS = 8
BLOCK_SLOTS = 16
LAYER_SHAPE = [2, BLOCKS, BLOCK_SLOTS, 1, 16]
LAYER_STRIDE = [BLOCKS * BLOCK_SLOTS * 16, BLOCK_SLOTS * 16, 16, 16, 1]
LAYER_BYTES = 2 * BLOCKS * BLOCK_SLOTS * 16 * 2


def layer_fields(name: str, **changes: Any) -> dict[str, Any]:
    """The inner map of a `cpu_shm` descriptor; `metadata` entries can be changed by their names as well."""
    metadata = {
        "dtype": "float16",
        "shape": LAYER_SHAPE,
        "stride": LAYER_STRIDE,
        "storage_offset": 0,
        "device_uuid": "cpu",
    }
    metadata.update({field: changes.pop(field) for field in list(changes) if field in metadata})
    return {"type": "cpu_shm", "shm_name": name, "nbytes": LAYER_BYTES, "version": 1, "metadata": metadata, **changes}


def layer(name: str, **changes: Any) -> msgspec.msgpack.Ext:
    return msgspec.msgpack.Ext(1, msgspec.msgpack.encode(layer_fields(name, **changes)))


def registration(instance: int, layers: list[Any], model: str = MODEL) -> list[Any]:
    """The payloads of `register_kv_cache`."""
    return [instance, layers, model, 1, "vllm", {"kv_layout": "NHD"}, []]
