# lmcache · SPDX-License-Identifier: Apache-2.0
"""The worker moves the bytes: between its blocks and chunks that the server has, or takes, in one way or the other."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from lmcache.transfer.inline_chunks import MESSAGE_BYTES
from lmcache.transfer.job import TransferJob
from lmcache.transfer.layout import common_shape, dtype_name, read_blocks, write_blocks
from lmcache.transfer.shared_pool import SharedPool
from lmcache.transfer.ways import ChunkShape, Door, MessageWay, PoolWay, Way
from lmcache.utils import init_logger
from lmcache.v1.multiprocess.futures import MessagingFuture
from lmcache.wire.client import WireClient
from lmcache.wire.types import EngineDrivenPool, EngineDrivenRegistration

if TYPE_CHECKING:
    import torch

logger = init_logger(__name__)

REGISTER_SECONDS = 60.0
"""How long a registration may take; the server imports all memory during it."""


class EngineDrivenContext:
    """Stores and loads of CPU tensors, one after the other on a thread of its own.

    The engine's step never waits for the server. Offsets into a pool are only taken from answers on the connection on
    which the pool was announced, because a server started anew has another pool under the same name.
    """

    def __init__(
        self,
        client: WireClient,
        instance_id: int,
        model_name: str,
        world_size: int,
        chunk_size: int,
        tensors: Sequence[torch.Tensor],
        timeout: float,
    ) -> None:
        self._client = client
        self._instance_id = instance_id
        self._tensors = list(tensors)
        self._timeout = timeout
        self._chunk_size = chunk_size
        self._shape = common_shape(self._tensors)
        if chunk_size % self._shape.tokens_per_block:
            raise ValueError(f"chunk size {chunk_size} is no multiple of {self._shape.tokens_per_block} tokens a block")
        self._blocks_per_chunk = chunk_size // self._shape.tokens_per_block
        self._registration = EngineDrivenRegistration(
            instance_id=instance_id,
            model_name=model_name,
            world_size=world_size,
            block_size=self._shape.tokens_per_block,
            num_layers=len(self._tensors),
            hidden_dim_size=self._shape.hidden,
            dtype_str=dtype_name(self._tensors[0]),
            use_mla=self._shape.planes == 1,
            num_physical_slots=chunk_size,
        )
        sizes = (self._shape.planes, len(self._tensors), chunk_size, self._shape.hidden)
        self._chunk_shape = ChunkShape(sizes, self._tensors[0].dtype)
        self._way: Way | None = None
        self._queue: queue.SimpleQueue[tuple[Callable[[TransferJob], bool], TransferJob, MessagingFuture[bool]] | None]
        self._queue = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def register(self) -> None:
        """Announces the layout and maps the pool that the server names."""
        self._way = None
        generation = self._client.generation
        pool = self._client.call(
            "register_kv_cache_engine_driven_context",
            self._registration,
            timeout=max(self._timeout, REGISTER_SECONDS),
            generation=generation,
        )
        self._way = self._agreed(pool, Door(self._client, self._instance_id, generation, self._timeout))
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="lmcache-transfer", daemon=True)
            self._thread.start()

    def create_event(self) -> Any:
        """Nothing: processors have finished when the engine's step returns."""
        return None

    def make_gate(self) -> None:
        """None: processors have finished when the engine's step returns."""

    def store(self, job: TransferJob) -> MessagingFuture[bool]:
        """Begins a store."""
        return self._enqueue(self._store, job)

    def retrieve(self, job: TransferJob) -> MessagingFuture[bool]:
        """Begins a load."""
        return self._enqueue(self._retrieve, job)

    def unregister(self) -> None:
        """Makes the server forget this worker."""
        self._way = None
        try:
            self._client.call("unregister_kv_cache_engine_driven_context", self._instance_id, timeout=2.0)
        except Exception as error:
            logger.debug("not unregistered: %s", error)

    def close(self) -> None:
        """Ends the thread once it has done what was begun."""
        self._queue.put(None)
        if self._thread is not None:
            self._thread.join(5)

    def _enqueue(self, action: Callable[[TransferJob], bool], job: TransferJob) -> MessagingFuture[bool]:
        future: MessagingFuture[bool] = MessagingFuture()
        self._queue.put((action, job, future))
        return future

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            action, job, future = item
            try:
                future.set_result(action(job))
            except Exception as error:
                logger.warning("%s of request %s failed: %s", action.__name__[1:], job.key.request_id, error)
                future.set_result(False)

    def _agreed(self, pool: EngineDrivenPool, door: Door) -> Way:
        if pool.shm_name and pool.pool_size > 0:
            return PoolWay(door, SharedPool(pool), self._chunk_shape, self)
        logger.info("server %s shares no memory: chunks travel in messages", self._client.url)
        return MessageWay(door, self._chunk_shape, self, MESSAGE_BYTES)

    def _store(self, job: TransferJob) -> bool:
        way = self._way
        return way is not None and not job.is_cancelled and way.store(job)

    def _retrieve(self, job: TransferJob) -> bool:
        way = self._way
        return way is not None and way.retrieve(job)

    def gather(self, job: TransferJob, chunks: Sequence[int], targets: Sequence[torch.Tensor]) -> None:
        """Fills the targets with the given chunks of the range. Raises `ValueError` when the job lacks blocks."""
        ids = self._ids(job, chunks)
        for layer, tensor in enumerate(self._tensors):
            rows = read_blocks(tensor, ids)
            for position, target in enumerate(targets):
                chunk = rows[:, position * self._chunk_size : (position + 1) * self._chunk_size]
                target[:, layer].copy_(chunk)

    def scatter(self, job: TransferJob, sources: Sequence[torch.Tensor]) -> None:
        """Writes all chunks of the range to their blocks, but not the tokens to skip.

        Raises `ValueError`, too, when the job was given up.
        """
        import torch

        ids = self._ids(job, range(len(sources)))
        skipped = job.skip_tokens // self._shape.tokens_per_block
        if skipped >= len(ids):
            return
        first_row = skipped * self._shape.tokens_per_block
        with job.gate:
            if job.is_cancelled:
                raise ValueError("it was given up, its blocks may be others' by now")
            for layer, tensor in enumerate(self._tensors):
                rows = torch.cat([source[:, layer] for source in sources], dim=1)
                write_blocks(tensor, ids[skipped:], rows[:, first_row:])

    def _ids(self, job: TransferJob, chunks: Sequence[int]) -> torch.Tensor:
        """The blocks of the given chunks of the range. Raises `ValueError` when the job lacks some."""
        import torch

        if len(job.block_ids) != 1:
            raise ValueError(f"{len(job.block_ids)} groups of layers cannot be moved by the worker; use lmcache_driven")
        given = job.block_ids[0]
        chosen: list[int] = []
        for chunk in chunks:
            part = given[chunk * self._blocks_per_chunk : (chunk + 1) * self._blocks_per_chunk]
            if chunk < 0 or len(part) != self._blocks_per_chunk:
                raise ValueError(f"{len(given)} blocks do not cover chunk {chunk} of the range")
            chosen += part
        if chosen and not 0 <= min(chosen) <= max(chosen) < self._shape.blocks:
            raise ValueError(f"block ids {min(chosen)} to {max(chosen)} of {self._shape.blocks} blocks")
        return torch.tensor(chosen, dtype=torch.int64)
