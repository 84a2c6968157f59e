# lmcache · SPDX-License-Identifier: Apache-2.0
"""The scheduler's side, for any number of caches that each hold a part of every block."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Sequence
from typing import Any

from lmcache.integration.tensorrt_llm.plans import BlockTransfer, ConnectorMetadata, RequestState, StepPlanner, offer_of
from lmcache.integration.tensorrt_llm.request_facts import facts_of
from lmcache.integration.tensorrt_llm.server_link import Link
from lmcache.integration.tensorrt_llm.settings import EngineSettings
from lmcache.utils import init_logger
from lmcache.v1.multiprocess.futures import MessagingFuture
from lmcache.wire.types import CacheKey

logger = init_logger(__name__)

LOOKUP_SECONDS = 1.0
"""How long the engine's scheduler waits for one lookup, at most."""


class CacheScheduler:
    """Lookups, offers and plans. Nothing raises; without a usable cache nothing is found.

    `world_size` is that of the keys: how many parts of a block one cache holds.
    """

    def __init__(self, settings: EngineSettings, links: Sequence[Link], world_size: int) -> None:
        self._settings = settings
        self._links = list(links)
        self._world_size = world_size
        self._planner = StepPlanner(settings.block_size)
        # Engines number their requests from 0, and several of them use one server.
        self._prefix = f"trtllm-{secrets.token_hex(6)}"

    def matched_tokens(self, request: Any, computed: int) -> int:
        """How many tokens behind the first `computed` can be loaded. Waits up to `LOOKUP_SECONDS`."""
        try:
            return self._matched_tokens(request, computed)
        except Exception as error:
            logger.warning("lookup of request %s failed and counts as a miss: %s", request.request_id, error)
            self._planner.remove(request.request_id)
            return 0

    def _matched_tokens(self, request: Any, computed: int) -> int:
        facts = facts_of(request)
        if facts is None:
            self._planner.remove(request.request_id)
            return 0
        name = f"{self._prefix}-{request.request_id}"
        state = RequestState(request, name, facts.tokens, facts.salt, computed)
        chunk = self._chunk_size()
        block = self._settings.block_size
        # What could not be offered whatever is found is not asked for.
        is_worth = chunk > 0 and not computed % block and (len(facts.tokens) - 1) // block * block > computed
        if is_worth:
            state.found = self._find(state, chunk)
            state.offer = offer_of(len(facts.tokens), state.found, computed, chunk, block)
            self._free(state, 0, state.offer.start if state.offer.tokens else state.found)
        self._planner.add(request.request_id, state)
        logger.debug("request %s: %d tokens cached, %d offered", name, state.found, state.offer.tokens)
        return state.offer.tokens

    def allocated(self, request: Any, block_ids: Sequence[int]) -> None:
        """The engine has given the request its blocks."""
        self._planner.allocated(request.request_id, block_ids)

    def plan(self, output: Any) -> ConnectorMetadata:
        """The transfers of the step that is about to run."""
        chunk = max((link.chunk_size for link in self._links), default=0)
        # Early releases ask in steps that schedule nothing, too.
        if chunk == 0 or output is None:
            return ConnectorMetadata()
        metadata, unwanted = self._planner.plan(output, chunk)
        for transfer in unwanted:
            self._send("free_lookup_locks", self._key(transfer), 1)
        return metadata

    def finished(self, request: Any) -> None:
        """The request is over; what it still leases is given back."""
        state = self._planner.remove(request.request_id)
        if state is not None:
            self._send("end_session", state.name)

    def close(self) -> None:
        """Ends all links."""
        for link in self._links:
            link.close()

    def _chunk_size(self) -> int:
        """The chunk size when every cache can be used and has the same; else 0."""
        sizes = {link.chunk_size if link.is_usable else 0 for link in self._links}
        return sizes.pop() if len(sizes) == 1 else 0

    def _find(self, state: RequestState, chunk: int) -> int:
        end = len(state.tokens) // chunk * chunk
        if end == 0:
            return 0
        deadline = time.monotonic() + min(LOOKUP_SECONDS, self._settings.mq_timeout)
        key = self._key(BlockTransfer(0, state.name, state.tokens[:end], [], 0, end, state.salt))
        try:
            self._ask(deadline, "lookup", key, 1)
            found = self._ask(deadline, "wait_prefetch_status", state.name, max(0.0, deadline - time.monotonic()))
        except TimeoutError as error:
            for link in self._links:
                link.distrust("does not answer lookups in time")
            raise error
        if any(chunks is None for chunks in found):
            # Not there in time. Leases of a lookup that ends later go with its session.
            self._send("end_session", state.name)
            return 0
        counts = [min(max(0, int(chunks)) * chunk, end) for chunks in found]
        least = min(counts)
        for link, count in zip(self._links, counts, strict=True):
            self._free(state, least, count, [link])
        return least

    def _ask(self, deadline: float, operation: str, *payloads: Any) -> list[Any]:
        """All caches at once; every wait ends a little after the deadline."""
        left = max(0.05, deadline - time.monotonic()) + 0.2
        futures: list[MessagingFuture[Any]] = [
            link.client.submit(operation, *payloads, timeout=left) for link in self._links
        ]
        return [future.result(left + 0.2) for future in futures]

    def _free(self, state: RequestState, start: int, end: int, links: Sequence[Link] | None = None) -> None:
        if start < end:
            transfer = BlockTransfer(0, state.name, state.tokens[:end], [], start, end, state.salt)
            self._send("free_lookup_locks", self._key(transfer), 1, links=links)

    def _send(self, operation: str, *payloads: Any, links: Sequence[Link] | None = None) -> None:
        for link in self._links if links is None else links:
            if link.is_usable:
                with contextlib.suppress(Exception):
                    link.client.submit(operation, *payloads, timeout=self._settings.mq_timeout)

    def _key(self, transfer: BlockTransfer) -> CacheKey:
        return CacheKey(
            self._settings.model_name,
            self._world_size,
            None,
            transfer.tokens,
            transfer.start,
            transfer.end,
            transfer.name,
            transfer.salt,
            None,
            1,
        )
