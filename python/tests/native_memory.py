# lmcache · SPDX-License-Identifier: Apache-2.0
"""An engine's memory and requests, for tests against the real library."""

from __future__ import annotations

import ctypes
import os
from typing import Any

import pytest

from lmcache.native import ProcessTensor, library_path
from lmcache.wire.types import CacheKey, TensorMetadata, as_extension

BLOCKS, BLOCK_TOKENS, WIDTH = 17, 4, 24
SIZE = BLOCKS * BLOCK_TOKENS * WIDTH * 2
TOKENS = 32


def needs_library() -> None:
    """Skips the module without a library, or fails it where a skip would go unnoticed."""
    if library_path() is not None:
        return
    reason = "liblmcache.so is not built: swift build --product LMCacheC"
    if os.environ.get("CI") or os.environ.get("LMCACHE_NO_SKIPS"):
        raise RuntimeError(reason)
    pytest.skip(reason, allow_module_level=True)


class ProcessMemory:
    """One layer of an engine's KV memory: float16[17, 4, 24]."""

    def __init__(self, seed: int = 0) -> None:
        self.bytes = (ctypes.c_uint8 * SIZE)(*((i * 37 + seed * 101) % 251 for i in range(SIZE)))

    def descriptor(self) -> ProcessTensor:
        """How a worker registers it."""
        metadata = TensorMetadata("float16", [BLOCKS, BLOCK_TOKENS, WIDTH], [BLOCK_TOKENS * WIDTH, WIDTH, 1], 0, "cpu")
        return ProcessTensor("process", ctypes.addressof(self.bytes), SIZE, 1, metadata)

    def blocks(self, first: int) -> bytes:
        """Eight blocks."""
        block = BLOCK_TOKENS * WIDTH * 2
        return bytes(self.bytes[first * block : (first + 8) * block])


def key(request: str, worker: int | None = 0) -> CacheKey:
    """The one prompt's key."""
    return CacheKey("model", 1, worker, list(range(100, 100 + TOKENS)), 0, TOKENS, request, num_kv_readers=1)


def register(client: Any, memory: ProcessMemory, instance: int = 7) -> None:
    """A worker registers its memory."""
    client.call("register_kv_cache", instance, [as_extension(memory.descriptor())], "model", 1, "vllm", {}, [])
