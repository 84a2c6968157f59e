# lmcache · SPDX-License-Identifier: Apache-2.0
"""What a worker does with the cache server. Apart from its start, nothing waits long and nothing raises."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lmcache.events.placements import ChunkEvent
from lmcache.health.server_health import ServerHealth
from lmcache.integration.vllm.adapter_arguments import AdapterArguments
from lmcache.integration.vllm.chunk_size import ask_capabilities, ask_chunk_size
from lmcache.integration.vllm.inline_loads import REPLY_WHEN_LOADED, InlineLoad, InlineLoads
from lmcache.integration.vllm.load_store_op import LoadStoreOp
from lmcache.integration.vllm.settings import is_usable_salt
from lmcache.integration.vllm.transfers import Transfers
from lmcache.transfer.job import TransferContext, TransferFuture, TransferJob
from lmcache.transfer.stream_gate import StreamGate
from lmcache.utils import init_logger
from lmcache.wire.client import WireClient
from lmcache.wire.tokens import as_payload
from lmcache.wire.types import CacheKey, EngineGroupInfo

if TYPE_CHECKING:
    import torch

    from lmcache.events.subscriber import KVEventSubscriber

logger = init_logger(__name__)

FLUSH_SECONDS = 30.0
"""How long a preemption waits for the stores of blocks that are about to be used again."""


class LMCacheMPWorkerAdapter:
    """One worker's side: its memory is registered once, then stores and loads are begun and polled.

    Raises `ConnectionError` when the server does not tell its chunk size within `mq_timeout`, `ValueError` when sizes
    do not fit. Used by one thread; the heartbeat registers again on its own.
    """

    def __init__(self, *values: Any, **named: Any) -> None:
        arguments = AdapterArguments(*values, **named)
        self.model_name = arguments.model_name
        self.parallel_strategy = arguments.strategy
        self.use_mla = arguments.strategy.use_mla
        self.is_first_rank_of_pp_group = arguments.strategy.is_first_rank_of_pp_group
        self.instance_id = random.SystemRandom().getrandbits(63)
        self._mode = str(arguments.extra_config.get("lmcache.mp.mp_transfer_mode", "auto"))
        self._block_size = arguments.block_size
        self._mq_timeout = arguments.mq_timeout
        # A request that a live server does not answer is given up after the pings that find it out.
        self._transfer_timeout = min(arguments.mq_timeout, 2 * arguments.heartbeat_interval + 1)
        self._client = WireClient(arguments.urls[0], arguments.context, arguments.mq_timeout)
        self._health = ServerHealth(
            self._client, arguments.heartbeat_interval, self.instance_id, recover=self._register_again
        )
        self._context: TransferContext | None = None
        self._gate: StreamGate | None = None
        self._transfers = Transfers()
        self._events: KVEventSubscriber | None = None
        self._is_shut_down = False
        try:
            self.chunk_size = ask_chunk_size([self._client], self._block_size, arguments.mq_timeout)
            if arguments.enable_kv_events and arguments.strategy.is_kv_event_subscriber:
                self._events = self._event_subscriber()
        except BaseException:
            self._client.close()
            raise

    @property
    def is_healthy(self) -> bool:
        """Whether the server can be relied on."""
        return self._health.is_healthy

    def num_blocks_per_chunk(self) -> int:
        """The engine's blocks in one chunk."""
        return self.chunk_size // self._block_size

    def register_kv_caches(
        self,
        kv_caches: Mapping[str, torch.Tensor],
        engine_group_infos: Sequence[EngineGroupInfo] = (),
        layout_hints: Mapping[str, Any] | None = None,
    ) -> None:
        """Makes the engine's memory known to the server. Waits up to `mq_timeout`; raises what went wrong."""
        # Only the worker's process needs what moves bytes, and only now.
        from lmcache.transfer.choice import make_context

        context = make_context(
            self._mode,
            client=self._client,
            instance_id=self.instance_id,
            model_name=self.model_name,
            world_size=self.parallel_strategy.key_world_size,
            chunk_size=self.chunk_size,
            tensors=list(kv_caches.values()),
            group_infos=list(engine_group_infos),
            layout_hints=layout_hints or {},
            timeout=self._transfer_timeout,
        )
        context.register()
        self._context = context
        try:
            # Now, because getting page-locked memory may wait for the device.
            self._gate = context.make_gate()
        except Exception as error:
            logger.warning("the device cannot wait for loads (%s); the host does", error)

    def _register_again(self) -> None:
        if self._context is not None and not self._is_shut_down:
            self._context.register()

    def create_recorded_event(self) -> Any:
        """An event behind the device's present work; none on processors."""
        return None if self._context is None else self._context.create_event()

    def submit_store_request(
        self,
        request_id: str,
        op: LoadStoreOp,
        event: Any = None,
        cache_salt: str = "",
        request_configs: dict[str, Any] | None = None,
    ) -> TransferFuture | None:
        """Begins a store. Without a healthy server, or on a rank that another one stores for, nothing is stored, and none
        is given.
        """
        self._health.start()
        if not self.parallel_strategy.is_writer or not self._is_usable(cache_salt) or self._context is None:
            return None
        job = self._job(request_id, op, event, cache_salt, request_configs)
        try:
            future = self._context.store(job)
        except Exception as error:
            logger.warning("store of request %s could not begin: %s", request_id, error)
            return None
        self._transfers.add_store(request_id, job, future)
        return future

    def submit_retrieve_request(
        self,
        request_id: str,
        op: LoadStoreOp,
        event: Any = None,
        cache_salt: str = "",
        request_configs: dict[str, Any] | None = None,
    ) -> None:
        """Begins a load. Without a healthy server it has failed already, which the next poll tells."""
        _, blocks, future = self._begin_load(request_id, op, event, cache_salt, request_configs)
        self._transfers.add_load(request_id, blocks, future)

    def begin_inline_load(
        self, request_id: str, op: LoadStoreOp, event: Any, cache_salt: str, request_configs: dict[str, Any] | None
    ) -> InlineLoad:
        """Begins a load that is answered when its bytes are in place, and that no poll tells about."""
        configs = {**(request_configs or {}), REPLY_WHEN_LOADED: True}
        return InlineLoad(request_id, *self._begin_load(request_id, op, event, cache_salt, configs))

    def make_inline_loads(self) -> InlineLoads:
        """What lets steps wait for loads of theirs; needs registered memory."""
        # The client gives a request up before.
        return InlineLoads(self._gate, self._transfer_timeout + 1)

    def add_failed_blocks(self, blocks: set[int]) -> None:
        """Blocks of a failed load that no poll tells about."""
        self._transfers.add_failed(blocks)

    def _begin_load(
        self, request_id: str, op: LoadStoreOp, event: Any, cache_salt: str, request_configs: dict[str, Any] | None
    ) -> tuple[TransferJob, set[int], TransferFuture | None]:
        self._health.start()
        job = self._job(request_id, op, event, cache_salt, request_configs)
        skipped = op.skip_first_n_tokens // self._block_size
        blocks = {block for group in job.block_ids for block in group[skipped:]}
        try:
            is_usable = self._is_usable(cache_salt) and self._context is not None
            future = self._context.retrieve(job) if is_usable and self._context is not None else None
        except Exception as error:
            logger.warning("load of request %s could not begin: %s", request_id, error)
            future = None
        return job, blocks, future

    def batched_submit_store_requests(
        self,
        request_ids: Sequence[str],
        ops: Sequence[LoadStoreOp],
        event: Any = None,
        cache_salts: Sequence[str] | None = None,
        request_configs_list: Sequence[dict[str, Any] | None] | None = None,
    ) -> list[TransferFuture | None]:
        """Begins several stores; the lists are parallel, also the one that is given back."""
        futures = []
        for index, (request_id, op) in enumerate(zip(request_ids, ops, strict=True)):
            salt = cache_salts[index] if cache_salts else ""
            configs = request_configs_list[index] if request_configs_list else None
            futures.append(self.submit_store_request(request_id, op, event, salt or "", configs))
        return futures

    def batched_submit_retrieve_requests(
        self,
        request_ids: Sequence[str],
        ops: Sequence[LoadStoreOp],
        event: Any = None,
        cache_salts: Sequence[str] | None = None,
        request_configs_list: Sequence[dict[str, Any] | None] | None = None,
    ) -> None:
        """Begins several loads; the lists are parallel."""
        for index, (request_id, op) in enumerate(zip(request_ids, ops, strict=True)):
            salt = cache_salts[index] if cache_salts else ""
            configs = request_configs_list[index] if request_configs_list else None
            self.submit_retrieve_request(request_id, op, event, salt or "", configs)

    def get_finished(self, finished_req_ids: set[str]) -> tuple[set[str] | None, set[str] | None]:
        """Requests whose stores ended after the engine announced their end, and requests whose load ended.

        Each announced id is given back exactly once, in one of the two sets.
        """
        sent, received = self._transfers.poll(finished_req_ids)
        return sent or None, received or None

    def get_block_ids_with_load_errors(self) -> set[int]:
        """Blocks whose loads failed since the last call."""
        return self._transfers.take_failed_blocks()

    def get_failed_request_ids(self) -> set[str]:
        """Requests whose loads failed since the last call."""
        return self._transfers.take_failed_requests()

    def handle_preemptions(self, need_flush_before_forward: bool) -> None:
        """Blocks are about to be used again: waits for the stores that still read them."""
        if need_flush_before_forward:
            deadline = time.monotonic() + min(FLUSH_SECONDS, self._mq_timeout)
            if not self._transfers.flush_stores(deadline):
                logger.warning("stores did not end within %s s and were given up", FLUSH_SECONDS)

    def get_kv_events(self) -> list[ChunkEvent]:
        """Chunks that came to the server or went since the last call; nothing unless events are on and this rank is
        the one that tells.
        """
        if self._events is None:
            return []
        self._health.start()
        self._events.start()
        return self._events.take()

    def shutdown(self) -> None:
        """Ends the events, then the pings, unregisters and closes. May be called more than once."""
        if self._is_shut_down:
            return
        self._is_shut_down = True
        if self._events is not None:
            self._events.stop()
        was_healthy = self._health.is_healthy
        self._health.stop()
        if self._context is not None:
            if was_healthy:
                self._context.unregister()
            self._context.close()
        self._client.close()

    def _event_subscriber(self) -> KVEventSubscriber | None:
        from lmcache.events.subscriber import KVEventSubscriber
        from lmcache.integration.vllm.event_counts import WorkerEventCounts

        if "kv_event_stream" not in ask_capabilities([self._client], self._mq_timeout):
            logger.warning("server %s has no stream of KV events; none are published", self._client.url)
            return None
        counts = WorkerEventCounts(self.model_name, self.parallel_strategy.vllm_worker_id)
        return KVEventSubscriber(self._client, self.instance_id, self.model_name, counts)

    def _is_usable(self, salt: str) -> bool:
        return self._health.is_healthy and is_usable_salt(salt)

    def _job(
        self, request_id: str, op: LoadStoreOp, event: Any, salt: str, configs: dict[str, Any] | None
    ) -> TransferJob:
        strategy = self.parallel_strategy
        key = CacheKey(
            self.model_name,
            strategy.key_world_size,
            strategy.key_worker_id,
            as_payload(op.token_ids),
            op.start,
            op.end,
            request_id,
            salt,
            configs,
            strategy.num_readers,
        )
        return TransferJob(key, op.groups, op.skip_first_n_tokens, event)
