# lmcache · SPDX-License-Identifier: Apache-2.0
"""What the server holds of each request's prompt, and the leases on it."""

from __future__ import annotations

import time

from lmcache.integration.sglang.lmcache_mp_metadata import LMCacheLookupOperation
from lmcache.integration.sglang.ranks import Ranks
from lmcache.integration.sglang.server_link import ServerLink
from lmcache.integration.vllm.lookup import ServerLookup
from lmcache.integration.vllm.settings import is_usable_salt
from lmcache.utils import init_logger
from lmcache.wire.types import CacheKey

logger = init_logger(__name__)

KeyShape = tuple[str, int, int, int]
"""Model name, ranks in the keys, this rank among them, readers of one object."""


def make_key(
    shape: KeyShape, operation: LMCacheLookupOperation, start: int, end: int, *, of_all_ranks: bool
) -> CacheKey:
    """The key of tokens `[start, end)` of a request."""
    model, world, rank, readers = shape
    return CacheKey(
        model,
        world,
        None if of_all_ranks else rank,
        operation.token_ids,
        start,
        end,
        operation.request_id,
        operation.cache_salt,
        None,
        readers,
    )


class Lookups:
    """Every rank follows every lookup; the first one sends it for all of them."""

    def __init__(self, link: ServerLink, ranks: Ranks, shape: KeyShape) -> None:
        self._link = link
        self._ranks = ranks
        self._shape = shape
        self._held: dict[str, LMCacheLookupOperation] = {}
        self._sessions: set[str] = set()

    def begin(self, request_id: str, token_ids: list[int], local_hit: int, salt: str) -> LMCacheLookupOperation:
        """Begins a lookup; without a usable server it has found nothing already."""
        operation = LMCacheLookupOperation(request_id, list(token_ids), local_hit, salt)
        self._held[request_id] = operation
        end = self._aligned_end(operation)
        if end == 0 or not is_usable_salt(salt):
            operation.total_hit_tokens = 0
            return operation
        if self._ranks.is_first and self._link.is_healthy:
            key = make_key(self._shape, operation, 0, end, of_all_ranks=True)
            timeout = self._link.settings.transfer_timeout
            operation.submission_future = ServerLookup(self._link.client, key, timeout)
            operation.completion_future = time.monotonic() + self._link.settings.mq_timeout
        self._sessions.add(request_id)
        return operation

    def poll(self, operation: LMCacheLookupOperation) -> int | None:
        """The tokens found, the same on every rank; none while they are not known. Never waits for the server."""
        found = self._ranks.greatest(self._found(operation) if self._ranks.is_first else -1)
        if found < 0:
            return None
        operation.total_hit_tokens = min(found * self._link.chunk_size, self._aligned_end(operation))
        operation.locks_held = operation.total_hit_tokens > 0
        return operation.total_hit_tokens

    def free(self, request_id: str, start: int, end: int) -> None:
        """Gives leases back, whole chunks from where the held ones begin."""
        operation = self._held.get(request_id)
        if operation is None or not operation.locks_held or operation.total_hit_tokens is None:
            return
        if start != operation.lock_start:
            logger.warning(
                "leases of request %s begin at token %d, not %d; the server frees them with the request",
                request_id,
                operation.lock_start,
                start,
            )
            return
        end = min(end, operation.total_hit_tokens)
        if start >= end:
            return
        if self._ranks.is_first:
            key = make_key(self._shape, operation, start, end, of_all_ranks=True)
            self._link.tell("free_lookup_locks", key, self._shape[1])
        operation.lock_start = end
        if end == operation.total_hit_tokens:
            self.settle(operation)

    def settle(self, operation: LMCacheLookupOperation) -> None:
        """Its leases are used up or given back."""
        operation.locks_held = False
        if self._held.get(operation.request_id) is operation:
            del self._held[operation.request_id]

    def note_session(self, request_id: str) -> None:
        """The server has heard of the request."""
        self._sessions.add(request_id)

    def end(self, request_id: str) -> None:
        """The request is over."""
        operation = self._held.pop(request_id, None)
        if operation is not None:
            operation.locks_held = False
        if request_id in self._sessions and self._ranks.is_first:
            self._link.tell("end_session", request_id)
        self._sessions.discard(request_id)

    def end_all(self) -> None:
        """All requests are over."""
        for request_id in list(self._sessions | self._held.keys()):
            self.end(request_id)

    def _aligned_end(self, operation: LMCacheLookupOperation) -> int:
        return len(operation.token_ids) // self._link.chunk_size * self._link.chunk_size

    def _found(self, operation: LMCacheLookupOperation) -> int:
        """The chunks found, -1 while they are not known. A failure finds nothing."""
        lookup = operation.submission_future
        if lookup is None or not self._link.is_healthy or time.monotonic() >= operation.completion_future:
            return 0
        chunks = lookup.poll()
        if lookup.error is not None:
            logger.warning(
                "the lookup of request %s failed and counts as a miss: %s", operation.request_id, lookup.error
            )
        return -1 if chunks is None else int(chunks)
