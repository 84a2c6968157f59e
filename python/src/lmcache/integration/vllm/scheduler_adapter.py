# lmcache · SPDX-License-Identifier: Apache-2.0
"""What a scheduler asks of the cache servers. Nothing here waits once it is built, and nothing raises."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Sequence
from typing import Any

from lmcache.health.server_health import ServerHealth
from lmcache.integration.vllm.adapter_arguments import AdapterArguments
from lmcache.integration.vllm.chunk_size import ask_capabilities, ask_chunk_size
from lmcache.integration.vllm.lookup import Lookup
from lmcache.integration.vllm.settings import is_usable_salt
from lmcache.utils import init_logger
from lmcache.v1.multiprocess.futures import MessagingFuture
from lmcache.wire.client import WireClient
from lmcache.wire.courier import Courier
from lmcache.wire.tokens import EncodedTokens, as_payload
from lmcache.wire.types import BlockAllocationRecord, CacheKey

logger = init_logger(__name__)


class LMCacheMPSchedulerAdapter:
    """One client for each server. A server in degraded mode holds nothing.

    Raises `ConnectionError` when a server does not tell its chunk size within `mq_timeout`, `ValueError` when the sizes
    do not fit. Used by one thread.
    """

    def __init__(self, *values: Any, **named: Any) -> None:
        arguments = AdapterArguments(*values, **named)
        self.model_name = arguments.model_name
        self.parallel_strategy = arguments.strategy
        self._block_size = arguments.block_size
        self._mq_timeout = arguments.mq_timeout
        self._clients = [WireClient(url, arguments.context, arguments.mq_timeout) for url in arguments.urls]
        self._health = [ServerHealth(client, arguments.heartbeat_interval) for client in self._clients]
        # Requests leave in the order of the calls that make them.
        self._courier = Courier("lmcache-courier")
        self._lookups: dict[str, Lookup] = {}
        self._said: set[str] = set()
        try:
            self.chunk_size = ask_chunk_size(self._clients, self._block_size, arguments.mq_timeout)
            capabilities = ask_capabilities(self._clients, arguments.mq_timeout)
            self.keeps_groups_apart = "separate_object_groups" in capabilities
            """Whether a store can leave out a group of layers that has no blocks any more."""
            self.replies_when_loaded = "reply_when_loaded" in capabilities
            """Whether a load can be answered when its bytes are in place."""
        except BaseException:
            self.shutdown()
            raise

    @property
    def is_healthy(self) -> bool:
        """Whether all servers can be relied on."""
        for health in self._health:
            if not health.is_healthy:
                return False
        return True

    def num_blocks_per_chunk(self) -> int:
        """The engine's blocks in one chunk."""
        return self.chunk_size // self._block_size

    def maybe_submit_lookup_request(
        self,
        request_id: str,
        token_ids: EncodedTokens | Sequence[Any] = (),
        cache_salt: str = "",
        request_configs: dict[str, Any] | None = None,
        reserve_last_token: bool = False,
        block_hashes: Sequence[bytes] = (),
    ) -> None:
        """Begins a lookup of a whole prompt; does nothing when the request already has one."""
        if request_id in self._lookups:
            return
        count = token_ids.count if isinstance(token_ids, EncodedTokens) else len(token_ids)
        if block_hashes or (not isinstance(token_ids, EncodedTokens) and _are_hashes(token_ids)):
            count = 0
            self._say_once("lookups by block hash (vLLM up to 0.16) find nothing; use vLLM 0.17 or later")
            token_ids = ()
        chunks = max(0, count - 1 if reserve_last_token else count) // self.chunk_size
        is_usable = chunks > 0 and (not cache_salt or is_usable_salt(cache_salt))
        for health in self._health:
            health.start()
            is_usable = is_usable and health.is_healthy
        self._lookups[request_id] = lookup = Lookup(chunks, is_usable)
        if is_usable:
            tokens = as_payload(token_ids)
            end = chunks * self.chunk_size
            self._courier.hand(self._look_up, lookup, tokens, end, request_id, cache_salt, request_configs)

    def _look_up(self, lookup: Lookup, *key: Any) -> None:
        """Runs on the courier's thread."""
        try:
            tokens, end, *rest = key
            lookup.begin(self._clients, self._key(tokens, 0, end, *rest), self._mq_timeout)
        except Exception:
            lookup.give_up()
            raise

    def check_lookup_result(self, request_id: str) -> int | None:
        """The tokens found, a whole number of chunks; none while it is not known."""
        lookup = self._lookups.get(request_id)
        if lookup is None:
            return 0
        if lookup.chunks is None:
            if not self.is_healthy:
                lookup.give_up()
            elif lookup.poll() is None:
                return None
            for part in lookup.parts:
                if part.error is not None:
                    self._say_once(f"a lookup failed and counts as a miss: {part.error}")
        return (lookup.chunks or 0) * self.chunk_size

    def surplus_of(self, request_id: str) -> int:
        """The most tokens that any server holds leases for; at least the result."""
        lookup = self._lookups.get(request_id)
        if lookup is None:
            return 0
        return max((part.chunks or 0 for part in lookup.parts), default=0) * self.chunk_size

    def cleanup_lookup_result(self, request_id: str) -> None:
        """Forgets a result."""
        self._lookups.pop(request_id, None)

    def free_lookup_locks(
        self,
        token_ids: EncodedTokens | Sequence[int],
        start: int,
        end: int,
        request_id: str,
        cache_salt: str = "",
        request_configs: dict[str, Any] | None = None,
    ) -> None:
        """Gives back the leases on whole chunks of `[start, end)`, which will not be loaded."""
        start = -(-start // self.chunk_size) * self.chunk_size
        end -= end % self.chunk_size
        lookup = self._lookups.get(request_id)
        if start >= end or (lookup is not None and not lookup.is_sent):
            return
        key = self._key(token_ids, start, end, request_id, cache_salt, request_configs)
        self._tell("free_lookup_locks", key, 1)

    def end_session(self, request_id: str) -> None:
        """The request is over; leases that it still has are released by the server."""
        self._lookups.pop(request_id, None)
        self._tell("end_session", request_id)

    def end_sessions(self, request_ids: Iterable[str], seconds: float = 1.0) -> None:
        """Several requests are over, and so is the engine: waits up to `seconds` until the servers know."""
        deadline = time.monotonic() + seconds
        if not self._courier.wait(seconds):
            return
        futures = [future for name in request_ids for future in self._send("end_session", name)]
        for future in futures:
            with contextlib.suppress(Exception):
                future.wait(max(0.0, deadline - time.monotonic()))

    def report_block_allocations(self, records: Sequence[Any]) -> None:
        """Tells the servers which blocks requests gained, for their metrics."""
        if records:
            own = [
                BlockAllocationRecord(record.req_id, list(record.new_block_ids), list(record.new_token_ids))
                for record in records
            ]
            self._tell("report_block_allocation", os.getpid(), self.model_name, own)

    def update_pending_store_count(self, req_id: str, count: int) -> bool:
        """Whether a request's deferred stores are done; stores are never deferred here."""
        del req_id
        return count <= 0

    def reset_cache(self) -> bool:
        """Empties the servers of what nobody uses; returns whether all of them did."""
        try:
            # Behind what was asked for before, as all requests.
            self._courier.wait(self._mq_timeout)
            for future in [client.submit("clear", False, timeout=self._mq_timeout) for client in self._clients]:
                future.result(self._mq_timeout)
        except Exception as error:
            logger.warning("the cache was not cleared: %s", error)
            return False
        return True

    def shutdown(self) -> None:
        """Ends pings and connections, behind what was asked for before."""
        self._courier.close()
        for health in self._health:
            # Not waited for yet: a ping to a server that is gone ends with its client.
            health.stop(timeout=0)
        for client in self._clients:
            client.close()
        for health in self._health:
            health.stop()

    def _key(
        self,
        tokens: EncodedTokens | Sequence[int],
        start: int,
        end: int,
        request_id: str,
        cache_salt: str,
        request_configs: dict[str, Any] | None,
    ) -> CacheKey:
        strategy = self.parallel_strategy
        return CacheKey(
            self.model_name,
            strategy.key_world_size,
            None,
            as_payload(tokens),
            start,
            end,
            request_id,
            cache_salt,
            request_configs,
            strategy.num_readers,
        )

    def _tell(self, operation: str, *payloads: Any) -> None:
        self._courier.hand(self._send, operation, *payloads)

    def _send(self, operation: str, *payloads: Any) -> list[MessagingFuture[Any]]:
        """Runs on the courier's thread, or while that has nothing to do."""
        futures = []
        for client, health in zip(self._clients, self._health, strict=True):
            if health.is_healthy:
                with contextlib.suppress(Exception):
                    futures.append(client.submit(operation, *payloads, timeout=self._mq_timeout))
        return futures

    def _say_once(self, text: str) -> None:
        if text not in self._said and len(self._said) < 100:
            self._said.add(text)
            logger.warning("%s", text)


def _are_hashes(tokens: Sequence[Any]) -> bool:
    return len(tokens) > 0 and isinstance(tokens[0], (bytes, bytearray))
