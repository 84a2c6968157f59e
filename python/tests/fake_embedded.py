# lmcache · SPDX-License-Identifier: Apache-2.0
"""A cache in this process, in the place of the native library: it moves bytes between addresses and a dictionary.

It knows tensors `[blocks, heads, tokens, width]` whose blocks are contiguous, and has its socket as its only door.
"""

from __future__ import annotations

import ctypes
import json
from typing import Any, ClassVar

import msgspec
from fake_server import NO_VALUE, FakeServer

from lmcache.wire.client import WireClient

CHUNK = 16
BLOCK = 8


class ConfigurationError(ValueError):
    """As the native binding raises it."""


def resolve_configuration(document: str) -> dict[str, Any]:
    """The layers over the few keys that tests use."""
    layers = {"environment": {}, "overlay": {}, **json.loads(document)}
    values: dict[str, Any] = {"chunk_size": CHUNK, "notices": []}
    known = {"chunk_size", "use_layerwise", "save_decode_cache", "min_retrieve_tokens", "priority_limit"}
    known |= {"lookup_timeout_ms", "local_cpu", "max_local_cpu_size", "enable_kv_events"}
    for name, value in layers["environment"].items():
        field = name.removeprefix("LMCACHE_").lower()
        if field in known:
            values[field] = json.loads(value.lower())
    for field, value in layers["overlay"].items():
        field = field.removeprefix("lmcache.")
        if field not in known:
            raise ConfigurationError(f"unknown key {field!r}; did you mean 'chunk_size'?")
        values[field] = value
    return values


class EmbeddedServer:
    """Chunks by the prefix that they end. `script` overrides single answers; `instances` are all that were made."""

    instances: ClassVar[list[EmbeddedServer]] = []
    failure: ClassVar[Exception | None] = None

    def __init__(self, document: str, socket_path: str | None) -> None:
        if self.failure is not None:
            raise self.failure
        self.document = json.loads(document)
        self.chunk_size = resolve_configuration(document)["chunk_size"]
        self.stored: dict[tuple[Any, ...], list[bytes]] = {}
        self.leases: dict[str, int] = {}
        self.is_closed = False
        self._tensors: list[Any] = []
        self.server = FakeServer(self._script(), f"ipc://{socket_path}")
        self.instances.append(self)

    @property
    def url(self) -> str:
        return self.server.url

    def client(self) -> WireClient:
        client = WireClient(self.url)
        client.call("ping", None, timeout=5)
        return client

    def close(self) -> None:
        if not self.is_closed:
            self.is_closed = True
            self.server.stop()

    def _script(self) -> dict[str, Any]:
        return {
            "get_chunk_size": self.chunk_size,
            "register_kv_cache": self._register,
            "store": self._store,
            "retrieve": self._retrieve,
            "lookup": self._lookup,
            "query_prefetch_status": lambda request_id: self.leases.get(request_id, 0),
        }

    def _register(self, _: int, descriptors: list[Any], *__: Any) -> Any:
        self._tensors = [msgspec.msgpack.decode(item.data) for item in descriptors]
        assert all(tensor["type"] == "process" for tensor in self._tensors)
        return NO_VALUE

    def _prefixes(self, key: dict[str, Any]) -> list[tuple[Any, ...]]:
        size = self.chunk_size
        ends = range(key["start"] + size, key["end"] + 1, size)
        return [(key["cache_salt"], *key["token_ids"][:end]) for end in ends]

    def _store(self, key: dict[str, Any], _: int, blocks: list[list[int]], __: bytes) -> list[Any]:
        per_chunk = self.chunk_size // BLOCK
        for index, prefix in enumerate(self._prefixes(key)):
            ids = blocks[0][index * per_chunk : (index + 1) * per_chunk]
            self.stored.setdefault(prefix, [self._read(tensor, i) for tensor in self._tensors for i in ids])
        return [b"", True]

    def _retrieve(self, key: dict[str, Any], _: int, blocks: list[list[int]], __: bytes, skip: int) -> list[Any]:
        per_chunk = self.chunk_size // BLOCK
        for index, prefix in enumerate(self._prefixes(key)):
            if prefix not in self.stored:
                return [b"", False]
            parts = iter(self.stored[prefix])
            for tensor in self._tensors:
                for position in range(index * per_chunk, (index + 1) * per_chunk):
                    part = next(parts)
                    if position * BLOCK >= skip:
                        self._write(tensor, blocks[0][position], part)
        return [b"", True]

    def _lookup(self, key: dict[str, Any], _: int) -> Any:
        found = 0
        for prefix in self._prefixes(key):
            if prefix not in self.stored:
                break
            found += 1
        self.leases[key["request_id"]] = found
        return NO_VALUE

    @staticmethod
    def _place(tensor: dict[str, Any], block: int) -> tuple[int, int]:
        metadata = tensor["metadata"]
        size = metadata["stride"][0] * 4
        assert 0 <= block < metadata["shape"][0] and metadata["dtype"] == "float32"
        return tensor["address"] + metadata["storage_offset"] * 4 + block * size, size

    def _read(self, tensor: dict[str, Any], block: int) -> bytes:
        return ctypes.string_at(*self._place(tensor, block))

    def _write(self, tensor: dict[str, Any], block: int, data: bytes) -> None:
        address, size = self._place(tensor, block)
        assert len(data) == size
        ctypes.memmove(address, data, size)
