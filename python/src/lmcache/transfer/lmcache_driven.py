# lmcache · SPDX-License-Identifier: Apache-2.0
"""The server moves the bytes: it reaches the engine's memory through shared handles."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from lmcache.transfer.job import TransferJob
from lmcache.transfer.stream_gate import StreamGate
from lmcache.utils import init_logger
from lmcache.v1.multiprocess.futures import DeviceMessagingFuture
from lmcache.wire.client import WireClient
from lmcache.wire.types import EngineGroupInfo, as_extension

logger = init_logger(__name__)

REGISTER_SECONDS = 60.0
"""How long a registration may take; the server imports all memory during it."""

CPU_EVENT = b"stub_ipc_handle"
"""Stands for an event where processors do the work: it is over when the request is sent."""


class LMCacheDrivenContext:
    """Stores and loads by the server.

    `group_infos` lists groups of layers with the same geometry in the server's order; entry i of the block ids that
    travel are those of engine group `group_infos[i].engine_group_id`.
    """

    def __init__(
        self,
        client: WireClient,
        instance_id: int,
        model_name: str,
        world_size: int,
        describe: Callable[[], Sequence[msgspec.Struct]],
        group_infos: Sequence[EngineGroupInfo],
        layout_hints: Mapping[str, Any],
        timeout: float,
        events: Any = None,
        close: Callable[[], None] | None = None,
        engine_type: str = "vllm",
    ) -> None:
        self._client = client
        self._instance_id = instance_id
        self._model_name = model_name
        self._world_size = world_size
        self._describe = describe
        self._group_infos = list(group_infos)
        self._layout_hints = dict(layout_hints)
        self._timeout = timeout
        self._events = events
        self._close = close
        self._engine_type = engine_type
        self._generation = -1

    def register(self) -> None:
        """Hands the memory to the server."""
        generation = self._client.generation
        descriptors: list[msgspec.msgpack.Ext] = [as_extension(item) for item in self._describe()]
        self._client.call(
            "register_kv_cache",
            self._instance_id,
            descriptors,
            self._model_name,
            self._world_size,
            self._engine_type,
            self._layout_hints,
            self._group_infos,
            timeout=max(self._timeout, REGISTER_SECONDS),
            generation=generation,
        )
        self._generation = generation

    def create_event(self) -> Any:
        """An event behind the device's present work."""
        return None if self._events is None else self._events.record()

    def make_gate(self) -> StreamGate | None:
        """What lets the device wait for this process; none on processors."""
        return None if self._events is None else self._events.make_gate()

    def store(self, job: TransferJob) -> DeviceMessagingFuture[bool]:
        """Begins a store."""
        return self._submit("store", job)

    def retrieve(self, job: TransferJob) -> DeviceMessagingFuture[bool]:
        """Begins a load."""
        return self._submit("retrieve", job, job.skip_tokens)

    def unregister(self) -> None:
        """Makes the server close its side of the memory."""
        try:
            self._client.call("unregister_kv_cache", self._instance_id, timeout=2.0)
        except Exception as error:
            logger.debug("not unregistered: %s", error)

    def close(self) -> None:
        """Removes the names of shared memory."""
        if self._close is not None:
            self._close()

    def _submit(self, operation: str, job: TransferJob, *more: Any) -> DeviceMessagingFuture[bool]:
        handle = CPU_EVENT if self._events is None or job.event is None else self._events.export(job.event)
        future = self._client.submit(
            operation,
            job.key,
            self._instance_id,
            self._by_kernel_group(job.block_ids),
            handle,
            *more,
            timeout=self._timeout,
            generation=self._generation,
        )
        future.retain_reference(job.event)
        return future.to_device_future(event_backend=self._events)

    def _by_kernel_group(self, block_ids: list[list[int]]) -> list[list[int]]:
        if not self._group_infos:
            return block_ids
        return [block_ids[info.engine_group_id] for info in self._group_infos]
