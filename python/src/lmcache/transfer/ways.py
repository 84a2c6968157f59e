# lmcache · SPDX-License-Identifier: Apache-2.0
"""Where the chunks of engine-driven transfers lie on their way: in the server's shared memory, or in messages."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from lmcache.transfer import inline_chunks
from lmcache.transfer.job import TransferJob
from lmcache.transfer.shared_pool import SharedPool
from lmcache.wire.client import WireClient

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class ChunkShape:
    """One chunk as `[planes, layers, tokens, hidden]`."""

    sizes: tuple[int, int, int, int]
    dtype: torch.dtype

    @property
    def tokens(self) -> int:
        """Tokens of a chunk."""
        return self.sizes[2]

    @property
    def byte_count(self) -> int:
        """Bytes of a chunk."""
        return math.prod(self.sizes) * self.dtype.itemsize


class Copies(Protocol):
    """Copies between the engine's blocks and chunks. Both raise `ValueError` when the job lacks blocks."""

    def gather(self, job: TransferJob, chunks: Sequence[int], targets: Sequence[torch.Tensor]) -> None:
        """Fills the targets with the given chunks of the range."""

    def scatter(self, job: TransferJob, sources: Sequence[torch.Tensor]) -> None:
        """Writes all chunks of the range to their blocks, but not the tokens to skip."""


class Way(Protocol):
    """Both run on the transfer thread and wait for the server up to the deadline of each request."""

    def store(self, job: TransferJob) -> bool:
        """Stores the range; returns whether the server has it."""

    def retrieve(self, job: TransferJob) -> bool:
        """Loads the range; returns whether all of it is in its blocks."""


@dataclass(frozen=True)
class Door:
    """Requests of one worker on the one connection on which its way was agreed."""

    client: WireClient
    instance_id: int
    generation: int
    timeout: float

    def call(self, operation: str, key: Any, *more: Any) -> Any:
        """Sends a request about a range and waits for its answer."""
        return self.client.call(
            operation, key, self.instance_id, *more, timeout=self.timeout, generation=self.generation
        )

    def tell(self, operation: str, key: Any) -> None:
        """Sends a request whose answer does not matter."""
        self.client.submit(operation, key, self.instance_id, timeout=self.timeout, generation=self.generation)


class PoolWay:
    """Slots in the server's shared memory."""

    def __init__(self, door: Door, pool: SharedPool, shape: ChunkShape, copies: Copies) -> None:
        self._door = door
        self._pool = pool
        self._shape = shape
        self._copies = copies

    def store(self, job: TransferJob) -> bool:
        context = self._door.call("prepare_store", job.key).context
        if context.slots is None or context.chunk_indices is None:
            return False
        if not context.slots:
            return True
        if len(context.slots) != len(context.chunk_indices):
            raise ValueError(f"{len(context.slots)} slots for {len(context.chunk_indices)} chunks")
        targets = [self._pool.view(slot, self._shape.dtype, self._shape.sizes) for slot in context.slots]
        self._copies.gather(job, context.chunk_indices, targets)
        if job.is_cancelled:
            return False
        return bool(self._door.call("commit_store", job.key, b""))

    def retrieve(self, job: TransferJob) -> bool:
        reply = self._door.call("prepare_retrieve", job.key)
        try:
            slots = reply.context.slots or []
            if not reply.success or len(slots) != (job.key.end - job.key.start) // self._shape.tokens:
                return False
            sources = [self._pool.view(slot, self._shape.dtype, self._shape.sizes) for slot in slots]
            self._copies.scatter(job, sources)
            return True
        finally:
            self._door.tell("commit_retrieve", job.key)


class MessageWay:
    """Chunks inside messages, a bounded number in each."""

    def __init__(self, door: Door, shape: ChunkShape, copies: Copies, message_bytes: int) -> None:
        self._door = door
        self._shape = shape
        self._copies = copies
        self._chunks_at_once = max(1, message_bytes // shape.byte_count)

    def store(self, job: TransferJob) -> bool:
        import torch

        is_complete = True
        for chunks, key in self._parts(job):
            # Never written in place: what a store reads may change while the message waits.
            targets = [torch.empty(self._shape.sizes, dtype=self._shape.dtype) for _ in chunks]
            self._copies.gather(job, chunks, targets)
            if job.is_cancelled:
                return False
            is_complete &= bool(self._door.call("commit_store", key, inline_chunks.encoded(self._travelling(targets))))
        return is_complete

    def retrieve(self, job: TransferJob) -> bool:
        sources: list[torch.Tensor] = []
        for chunks, key in self._parts(job):
            try:
                reply = self._door.call("prepare_retrieve", key)
            finally:
                self._door.tell("commit_retrieve", key)
            # A part that is missing leaves the leases of those behind it, which end with the request.
            if not reply.success or reply.context.slots is not None:
                return False
            sources += inline_chunks.decoded(reply.data, len(chunks), self._shape.dtype, self._shape.sizes)
        self._copies.scatter(job, sources)
        return True

    def _parts(self, job: TransferJob) -> Iterator[tuple[range, Any]]:
        tokens = self._shape.tokens
        count = (job.key.end - job.key.start) // tokens
        for first in range(0, count, self._chunks_at_once):
            chunks = range(first, min(count, first + self._chunks_at_once))
            start, end = job.key.start + chunks.start * tokens, job.key.start + chunks.stop * tokens
            yield chunks, msgspec.structs.replace(job.key, start=start, end=end)

    def _travelling(self, chunks: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """One plane travels without its axis."""
        return [chunk[0] if self._shape.sizes[0] == 1 else chunk for chunk in chunks]
