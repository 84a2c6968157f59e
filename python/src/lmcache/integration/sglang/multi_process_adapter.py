# lmcache · SPDX-License-Identifier: Apache-2.0
"""What SGLang 0.5.13 to 0.5.20 load to use a cache server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lmcache.integration.sglang.component_group import ComponentGroup
from lmcache.integration.sglang.memory import RegisteredMemory
from lmcache.integration.sglang.mp_settings import DEFAULT_HEARTBEAT_INTERVAL, DEFAULT_MQ_TIMEOUT, MPSettings
from lmcache.integration.sglang.outcome import Outcome
from lmcache.integration.sglang.ranks import Ranks
from lmcache.integration.sglang.request_metadata import LoadMetadata, StoreMetadata, has_namespace
from lmcache.integration.sglang.server_link import ServerLink
from lmcache.utils import init_logger
from lmcache.wire.types import CacheKey

if TYPE_CHECKING:
    import torch

logger = init_logger(__name__)

ANSWER_SECONDS = 1.0
"""How much longer than the server's own wait its answer may take."""


@dataclass
class _Found:
    """What a lookup found. The leases are held until a load uses them up or they are given back."""

    token_ids: list[int]
    tokens: int
    is_held: bool


class LMCacheMPConnector:
    """One tensor-parallel rank's side. Apart from its start nothing raises, and a server that is away holds nothing.

    `k_pool` and `v_pool` have a tensor `[slots, heads, size]` for each layer. Every method that asks the server waits,
    up to twice `min(mq_timeout, 2 * heartbeat_interval + 1)` seconds. All ranks must call the same methods in the same
    order; used by one thread.

    Raises `ConnectionError` when the server does not tell its chunk size, `ValueError` for sizes that do not fit.
    """

    def __init__(
        self,
        sgl_config: Any,
        tp_size: int,
        rank: int,
        page_size: int,
        host: str,
        port: int,
        k_pool: list[torch.Tensor],
        v_pool: list[torch.Tensor],
        tp_group: Any = None,
        mq_timeout: float = DEFAULT_MQ_TIMEOUT,
        heartbeat_interval: float = DEFAULT_HEARTBEAT_INTERVAL,
    ) -> None:
        settings = MPSettings.of(
            str(host),
            port,
            {"lmcache.mp.mq_timeout": mq_timeout, "lmcache.mp.heartbeat_interval": heartbeat_interval},
        )
        if not k_pool or len(k_pool) != len(v_pool):
            raise ValueError(f"{len(k_pool)} layers of keys and {len(v_pool)} of values; as many of both are needed")
        tensors = (*k_pool, *v_pool)
        self.page_size = int(page_size)
        self.model_name = str(sgl_config.model_path)
        self._group = ComponentGroup("full", tensors, self.page_size, self.page_size, (self.page_size,) * len(tensors))
        memory = RegisteredMemory([self._group], is_paired=True)
        self.device = memory.device
        self._ranks = Ranks(int(tp_size), int(rank), tp_group, device=memory.device)
        self._link = ServerLink(
            settings,
            self.page_size,
            lambda client, instance, chunk: memory.context(
                settings.mode, self.model_name, self._ranks.tp_size, settings.transfer_timeout, client, instance, chunk
            ),
        )
        self.instance_id = self._link.instance_id
        self._found: dict[str, _Found] = {}
        self._sessions: set[str] = set()

    @property
    def is_healthy(self) -> bool:
        """Whether the server can be relied on."""
        return self._link.is_healthy

    def chunk_size(self) -> int:
        """Tokens in a chunk."""
        return self._link.chunk_size

    def lookup_kv(self, token_ids: list[int], request_id: str) -> int:
        """The tokens of the prompt that every rank's server holds, a whole number of chunks. They stay readable for a
        load until they are given back.
        """
        tokens = list(token_ids)
        end = len(tokens) // self._link.chunk_size * self._link.chunk_size
        if end == 0 or not request_id:
            return 0
        self.release_pending(request_id)
        held = self._look_up(tokens, end, request_id)
        found = self._ranks.least(held)
        self._found[request_id] = _Found(tokens, found, found > 0)
        if held > found:
            # Other ranks hold less: the surplus will not be loaded.
            self._free(tokens, found, held, request_id)
        return found

    def retrieve_kv(self, load_metadata: LoadMetadata) -> int:
        """Loads what the lookup found beyond `offset` and `prefix_pad` into the slots.

        The tokens from `offset` on that are there then; 0 when any rank failed, and nobody writes to the slots any
        more.
        """
        found = self._found.get(load_metadata.request_id)
        outcome = Outcome.settled(False)
        if found is not None and found.is_held:
            try:
                outcome = self._load(load_metadata, found)
            except Exception as error:
                logger.warning("load of request %s could not begin: %s", load_metadata.request_id, error)
            found.is_held = False
        if not self._ranks.all(outcome.result()) or found is None:
            logger.warning("load of request %s failed; SGLang computes its tokens", load_metadata.request_id)
            return 0
        return found.tokens - load_metadata.offset

    def release_pending(self, request_id: str) -> None:
        """Gives the leases of a lookup back when no load will follow."""
        found = self._found.get(request_id)
        if found is not None and found.is_held:
            found.is_held = False
            self._free(found.token_ids, 0, found.tokens, request_id)

    def store_kv(self, store_metadata: StoreMetadata) -> None:
        """Stores the whole chunks of a request; waits until its slots may be used for something else."""
        if not self.store_kv_async(store_metadata).result():
            logger.warning("request %s was not stored", store_metadata.request_id)

    def store_kv_async(self, store_metadata: StoreMetadata) -> Outcome:
        """Begins the store of the whole chunks of a request. The slots must stay as they are until it has ended."""
        tokens = list(store_metadata.token_ids)
        end = len(tokens) // self._link.chunk_size * self._link.chunk_size
        if end == 0 or has_namespace(store_metadata.last_node):
            return Outcome.settled(True)
        try:
            blocks = self._group.block_ids(store_metadata.kv_indices[:end])
            if not self._group.is_storable(blocks, self._link.chunk_size):
                raise ValueError("some of its slots are SGLang's placeholder")
        except Exception as error:
            logger.warning("store of request %s could not begin: %s", store_metadata.request_id, error)
            return Outcome.settled(False)
        self._sessions.add(store_metadata.request_id)
        key = self._key(tokens, 0, end, store_metadata.request_id, self._ranks.tp_rank)
        return self._link.store(key, [blocks], self._link.create_event())

    def end_session(self, request_id: str) -> None:
        """The request is over; leases that it still has are freed by the server."""
        self._found.pop(request_id, None)
        if request_id in self._sessions:
            self._sessions.discard(request_id)
            self._link.tell("end_session", request_id)

    def reset(self) -> None:
        """Ends all requests."""
        for request_id in list(self._sessions):
            self.end_session(request_id)
        self._found.clear()

    def close(self) -> None:
        """Ends all requests, unregisters and closes. May be called more than once."""
        self.reset()
        self._link.close()

    def _look_up(self, tokens: list[int], end: int, request_id: str) -> int:
        if not self._link.is_healthy:
            return 0
        self._sessions.add(request_id)
        seconds = self._link.settings.transfer_timeout
        try:
            self._link.client.call(
                "lookup", self._key(tokens, 0, end, request_id), self._ranks.tp_size, timeout=seconds
            )
            chunks = self._link.client.call(
                "wait_prefetch_status", request_id, seconds, timeout=seconds + ANSWER_SECONDS
            )
        except Exception as error:
            logger.warning("the lookup of request %s failed and counts as a miss: %s", request_id, error)
            return 0
        return min(max(0, int(chunks or 0)) * self._link.chunk_size, end)

    def _load(self, metadata: LoadMetadata, found: _Found) -> Outcome:
        start, pad = metadata.offset, metadata.prefix_pad
        if start < 0 or start % self._link.chunk_size or pad < 0 or pad % self.page_size:
            raise ValueError(f"offset {start} must be whole chunks, prefix_pad {pad} whole pages")
        if start + pad >= found.tokens:
            raise ValueError(f"{found.tokens} tokens were found, SGLang has {start + pad} of them")
        self._free(found.token_ids, 0, start, metadata.request_id)
        slots = metadata.slot_mapping[start + pad : found.tokens]
        if slots.numel() != found.tokens - start - pad:
            raise ValueError(f"{slots.numel()} slots for {found.tokens - start - pad} tokens")
        blocks = [0] * (pad // self.page_size) + self._group.block_ids(slots)
        key = self._key(found.token_ids, start, found.tokens, metadata.request_id, self._ranks.tp_rank)
        return self._link.retrieve(key, [blocks], pad, self._link.create_event())

    def _free(self, tokens: list[int], start: int, end: int, request_id: str) -> None:
        if start < end:
            self._link.tell("free_lookup_locks", self._key(tokens, start, end, request_id), self._ranks.tp_size)

    def _key(self, tokens: list[int], start: int, end: int, request_id: str, rank: int | None = None) -> CacheKey:
        return CacheKey(self.model_name, self._ranks.tp_size, rank, tokens, start, end, request_id, num_kv_readers=1)
