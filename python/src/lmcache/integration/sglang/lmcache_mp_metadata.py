# lmcache · SPDX-License-Identifier: Apache-2.0
"""What SGLang's unified radix cache keeps of lookups, loads and stores. SGLang fills most of it itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass
class LMCacheLookupOperation:
    """One request's lookup. `lock_start` is the first token whose lease is still held while `locks_held`."""

    request_id: str
    token_ids: list[int]
    local_hit_tokens: int
    cache_salt: str
    submission_future: Any = None
    completion_future: Any = None
    total_hit_tokens: int | None = None
    locks_held: bool = False
    lock_start: int = 0


@dataclass
class LMCacheLoadOperation:
    """Tokens `[start, end)` on their way into the engine; `device_indices` are the slots that SGLang allocated."""

    request_id: str
    token_ids: list[int]
    start: int
    end: int
    local_hit_tokens: int
    device_indices: Any
    future: Any
    lookup: LMCacheLookupOperation
    result: bool | None = None

    def query(self) -> bool:
        """Whether it has ended, one way or the other; never waits."""
        return self.result is not None or bool(self.future.query())


@dataclass
class LMCacheStoreOperation:
    """Tokens `[start, end)` on their way to the server."""

    request_id: str
    start: int
    end: int
    future: Any
    result: bool | None = None

    def query(self) -> bool:
        """Whether it has ended, one way or the other; never waits."""
        return self.result is not None or bool(self.future.query())


@dataclass
class LMCacheExternalFlow:
    """One request between its lookup and the end of its load. The fields are SGLang's."""

    key: Any
    lookup: LMCacheLookupOperation
    total_hit: int | None = None
    local_hit_tokens: int | None = None
    load: LMCacheLoadOperation | None = None
    anchor_node: Any = None
    anchor_lock: Any = None
    mamba_value: Any = None
    request_mamba_value: Any = None
    allocated_request_mamba_for_load: bool = False
    load_req: Any = None
    free_mamba_after_load: bool = False
    loaded_skip_tokens: int = 0
    released_skip_tokens: int = 0
    prefix_published: bool = False
    load_completed: bool = False
    retire_requested: bool = False
    cancelled: bool = False


@dataclass
class LMCachePendingStore:
    """A store, and the node of SGLang's tree that stays locked until it has ended."""

    operation: LMCacheStoreOperation
    node_id: Any
    lock_params: Any
