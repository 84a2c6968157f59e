# lmcache · SPDX-License-Identifier: Apache-2.0
"""KV events in vLLM's form. Imports vLLM."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from vllm.distributed.kv_events import BlockRemoved, BlockStored, KVCacheEvent, KVConnectorKVEvents

from lmcache.events.placements import ChunkEvent, ChunkStored

try:
    from vllm.v1.core.kv_cache_utils import maybe_convert_block_hash as as_vllm_hash
except ImportError:  # Older releases publish hashes as they are.

    def as_vllm_hash(block_hash: Any) -> Any:
        """A hash as vLLM publishes it."""
        return block_hash


class LMCacheMPKVEvents(KVConnectorKVEvents):
    """What the workers of one step have to tell. Workers of different servers may tell the same."""

    def __init__(self, num_workers: int = 1) -> None:
        self._batches: list[list[KVCacheEvent]] = []
        self._workers = num_workers

    def add_events(self, events: list[KVCacheEvent]) -> None:
        """Adds what one worker tells."""
        self._batches.append(list(events))

    def aggregate(self) -> LMCacheMPKVEvents:
        """Drops what an earlier worker tells as well; the order of each worker stays."""
        seen: set[KVCacheEvent] = set()
        merged: list[KVCacheEvent] = []
        for batch in self._batches:
            merged += [event for event in batch if event not in seen]
            seen.update(batch)
        self._batches = [merged] if merged else []
        self._workers = 1
        return self

    def increment_workers(self, count: int = 1) -> None:
        """Counts another worker."""
        self._workers += count

    def get_all_events(self) -> list[KVCacheEvent]:
        """Everything, worker by worker."""
        return [event for batch in self._batches for event in batch]

    def get_number_of_workers(self) -> int:
        """How many workers told something."""
        return self._workers

    def clear_events(self) -> None:
        """Forgets everything."""
        self._batches.clear()
        self._workers = 1


def as_vllm_events(events: Iterable[ChunkEvent], chunk_size: int) -> LMCacheMPKVEvents:
    """The events as vLLM publishes them; a block of theirs is a chunk of ours."""
    converted: list[KVCacheEvent] = []
    for event in events:
        hashes = [as_vllm_hash(item) for item in event.hashes]
        if not isinstance(event, ChunkStored):
            converted.append(BlockRemoved(block_hashes=hashes, medium=event.medium))
            continue
        fields: dict[str, Any] = {
            "block_hashes": hashes,
            "parent_block_hash": None if event.parent is None else as_vllm_hash(event.parent),
            "token_ids": list(event.tokens),
            "block_size": chunk_size,
            "lora_id": None,
            "medium": event.medium,
            "lora_name": None,
        }
        known = BlockStored.__struct_fields__
        converted.append(BlockStored(**{name: value for name, value in fields.items() if name in known}))
    container = LMCacheMPKVEvents()
    container.add_events(converted)
    return container
