# lmcache · SPDX-License-Identifier: Apache-2.0
"""An engine-driven cache for the scripted server: slots in a file in shared memory, chunks of 16 tokens."""

from __future__ import annotations

import os
import secrets
from typing import Any

CHUNK = 16


class FakePool:
    """Answers the five engine-driven operations; `stored` maps the tokens of a prefix to its slot."""

    def __init__(self, slot_bytes: int, slots: int = 64) -> None:
        self.name = f"lmcache_l1_pool_test_{os.getpid()}_{secrets.token_hex(4)}"
        self.size = slot_bytes * slots
        self.stored: dict[tuple[int, ...], int] = {}
        self.registrations: list[dict[str, Any]] = []
        self.returned: list[tuple[int, int]] = []
        self._slot_bytes = slot_bytes
        self._next = 0
        self._staged: dict[tuple[int, ...], int] = {}
        with open(self.path, "wb") as file:
            file.truncate(self.size)

    @property
    def path(self) -> str:
        return f"/dev/shm/{self.name}"

    def remove(self) -> None:
        os.unlink(self.path)

    def bytes_of(self, tokens: list[int]) -> bytes:
        with open(self.path, "rb") as file:
            file.seek(self.stored[tuple(tokens)] * self._slot_bytes)
            return file.read(self._slot_bytes)

    def script(self) -> dict[str, Any]:
        return {
            "register_kv_cache_engine_driven_context": self._register,
            "prepare_store": self._prepare_store,
            "commit_store": self._commit_store,
            "prepare_retrieve": self._prepare_retrieve,
            "commit_retrieve": self._commit_retrieve,
        }

    def _register(self, registration: dict[str, Any]) -> dict[str, Any]:
        self.registrations.append(registration)
        return {"shm_name": self.name, "pool_size": self.size}

    def _prefixes(self, key: dict[str, Any]) -> list[tuple[int, ...]]:
        return [tuple(key["token_ids"][:end]) for end in range(key["start"] + CHUNK, key["end"] + 1, CHUNK)]

    def _slot(self, number: int) -> dict[str, Any]:
        return {
            "offset": number * self._slot_bytes,
            "length": self._slot_bytes,
            "shape": [],
            "dtype": "float32",
        }

    def _prepare_store(self, key: dict[str, Any], _: int) -> dict[str, Any]:
        slots, indices = [], []
        for index, prefix in enumerate(self._prefixes(key)):
            if prefix not in self.stored:
                self._staged[prefix] = self._next
                slots.append(self._slot(self._next))
                indices.append(index)
                self._next += 1
        return {"context": {"slots": slots, "chunk_indices": indices}}

    def _commit_store(self, key: dict[str, Any], _: int, __: bytes) -> bool:
        for prefix in self._prefixes(key):
            if prefix in self._staged:
                self.stored[prefix] = self._staged.pop(prefix)
        return True

    def _prepare_retrieve(self, key: dict[str, Any], _: int) -> dict[str, Any]:
        prefixes = self._prefixes(key)
        if any(prefix not in self.stored for prefix in prefixes):
            return {"success": False, "data": b"", "context": {}}
        slots = [self._slot(self.stored[prefix]) for prefix in prefixes]
        return {"success": True, "data": b"", "context": {"slots": slots}}

    def _commit_retrieve(self, key: dict[str, Any], _: int) -> bool:
        self.returned.append((key["start"], key["end"]))
        return True
