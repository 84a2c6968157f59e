# lmcache · SPDX-License-Identifier: Apache-2.0
"""One store or load on its way, and what a way has to offer."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any, Protocol

from lmcache.transfer.stream_gate import StreamGate
from lmcache.v1.multiprocess.futures import DeviceMessagingFuture, MessagingFuture
from lmcache.wire.types import CacheKey

TransferFuture = MessagingFuture[bool] | DeviceMessagingFuture[bool]


@dataclass
class TransferJob:
    """What to move: `block_ids` has one list per group of the engine, from block `key.start` on.

    A job that was given up (`is_cancelled`) must not make anything visible any more.
    """

    key: CacheKey
    block_ids: list[list[int]]
    skip_tokens: int = 0
    event: Any = None
    is_cancelled: bool = field(default=False, compare=False)
    gate: threading.Lock = field(default_factory=threading.Lock, compare=False, repr=False)
    """Held while this process writes to the blocks."""

    def cancel(self) -> None:
        """Gives the job up. When this returns, this process writes to its blocks no more. Waits for one copy."""
        with self.gate:
            self.is_cancelled = True


class TransferContext(Protocol):
    """A way between the engine's blocks and the server."""

    def register(self) -> None:
        """Makes this worker known to the server, again if need be. Waits; raises what went wrong."""

    def create_event(self) -> Any:
        """Something that marks the present point of the device's work; none where there is nothing to mark."""

    def make_gate(self) -> StreamGate | None:
        """What lets the device wait for this process; none where nothing runs ahead of the host."""

    def store(self, job: TransferJob) -> TransferFuture:
        """Begins a store. The blocks must stay as they are until the future is done."""

    def retrieve(self, job: TransferJob) -> TransferFuture:
        """Begins a load. The blocks belong to it until the future is done."""

    def unregister(self) -> None:
        """Makes the server forget this worker. Waits; raises nothing."""

    def close(self) -> None:
        """Ends what runs in the background."""
