# lmcache · SPDX-License-Identifier: Apache-2.0
"""The worker's side: the pool is registered once, then each step's loads and saves are carried out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from lmcache.integration.tensorrt_llm.plans import BlockTransfer, ConnectorMetadata
from lmcache.integration.tensorrt_llm.server_link import Link
from lmcache.integration.tensorrt_llm.settings import EngineSettings
from lmcache.transfer.job import TransferContext, TransferFuture, TransferJob
from lmcache.utils import init_logger
from lmcache.wire.types import CacheKey

if TYPE_CHECKING:
    import torch

logger = init_logger(__name__)


class LoadFailedError(RuntimeError):
    """Blocks that the engine counts as loaded do not hold what they should."""


class CacheWorker:
    """Loads and saves of one rank. `world_size` and `rank` are those of the keys.

    The engine cannot be told to compute what it counts as loaded. After a failed load `check_loads` raises inside the
    model's forward pass, on every rank: the engine then fails the requests it runs and goes on. Nothing else raises.
    """

    def __init__(
        self,
        settings: EngineSettings,
        link: Link,
        world_size: int,
        rank: int,
        agree: Callable[[bool], bool] | None = None,
    ) -> None:
        self._settings = settings
        self._link = link
        self._world_size = world_size
        self._rank = rank
        self._agree = agree
        self._context: TransferContext | None = None
        self._failed: list[str] = []

    def attach(self, context: TransferContext) -> None:
        """Registers the pool. Raises what is wrong with it; a server that is away gets it when it is there."""
        self._context = context
        if not self._link.is_usable:
            return
        try:
            context.register()
        except ValueError:
            self._context = None
            raise
        except Exception as error:
            logger.warning("the KV pool could not be registered: %s", error)
            self._link.distrust("did not take the KV pool")

    def register_again(self) -> None:
        """Registers what is attached; raises when that fails."""
        if self._context is not None:
            self._context.register()

    def load(self, metadata: ConnectorMetadata | None) -> None:
        """Carries the loads out and remembers which failed. Waits up to the time limit of a request."""
        self._failed = []
        if metadata is None or not metadata.loads:
            return
        started = time.monotonic()
        context = self._context
        results = self._run(metadata.loads, None if context is None else context.retrieve)
        self._failed = [item.name for item, is_good in zip(metadata.loads, results, strict=True) if not is_good]
        if self._agree is not None and not self._agree(not self._failed) and not self._failed:
            self._failed = ["a load of another rank"]
        logger.debug("%d loads in %.3f ms", len(metadata.loads), 1000 * (time.monotonic() - started))

    def check_loads(self) -> None:
        """Raises `LoadFailedError` once after loads that failed."""
        if self._failed:
            failed, self._failed = self._failed, []
            raise LoadFailedError(f"KV cache of requests {', '.join(failed)} could not be loaded; they cannot go on")

    def save(self, metadata: ConnectorMetadata | None) -> None:
        """Carries the saves out; their blocks may be used again when it returns."""
        if metadata is None or not metadata.saves or self._context is None or not self._link.is_usable:
            return
        results = self._run(metadata.saves, self._context.store)
        lost = [item.name for item, is_good in zip(metadata.saves, results, strict=True) if not is_good]
        if lost:
            logger.debug("not saved, or cached already: %s", ", ".join(lost))

    def close(self) -> None:
        """Unregisters and closes."""
        context, self._context = self._context, None
        if context is not None:
            if self._link.is_usable:
                context.unregister()
            context.close()
        self._link.close()

    def _run(
        self, items: Sequence[BlockTransfer], begin: Callable[[TransferJob], TransferFuture] | None
    ) -> list[bool]:
        """All at once, then the results. A future ends with its connection, or by the time limit."""
        if begin is None or self._context is None or not self._link.is_usable:
            return [False] * len(items)
        deadline = time.monotonic() + self._settings.mq_timeout
        futures: list[TransferFuture | None] = []
        try:
            event = self._context.create_event()
            for item in items:
                futures.append(begin(TransferJob(self._key(item), [item.block_ids], item.skip_tokens, event)))
        except Exception as error:
            logger.warning("transfers could not begin: %s", error)
        futures += [None] * (len(items) - len(futures))
        return [self._result(item, future, deadline) for item, future in zip(items, futures, strict=True)]

    @staticmethod
    def _result(item: BlockTransfer, future: TransferFuture | None, deadline: float) -> bool:
        if future is None:
            return False
        try:
            return bool(future.result(max(0.0, deadline - time.monotonic()) + 0.5))
        except Exception as error:
            logger.warning("transfer of request %s failed: %s", item.name, error)
            return False

    def _key(self, item: BlockTransfer) -> CacheKey:
        return CacheKey(
            self._settings.model_name,
            self._world_size,
            self._rank,
            item.tokens,
            item.start,
            item.end,
            item.name,
            item.salt,
            None,
            1,
        )


def same_on_all_ranks(world_size: int) -> Callable[[bool], bool] | None:
    """Whether something holds on every rank, asked on all of them at once; none for a single rank.

    One rank that leaves a forward pass alone would leave the others waiting in the model's own collectives.
    """
    if world_size < 2:
        return None
    from tensorrt_llm._utils import mpi_allgather

    def agree(value: bool) -> bool:
        return all(mpi_allgather(value))

    return agree


def server_context(
    link: Link, settings: EngineSettings, instance_id: int, pool: torch.Tensor, hints: dict[str, Any]
) -> TransferContext:
    """How a server reaches the pool: on a GPU by the driver's handle, in main memory through shared memory."""
    from lmcache.transfer.lmcache_driven import LMCacheDrivenContext

    common = (link.client, instance_id, settings.model_name, settings.world_size)
    if pool.device.type == "cpu":
        from lmcache.transfer.shared_tensors import SharedTensors

        shared = SharedTensors([pool])
        return LMCacheDrivenContext(
            *common,
            lambda: shared.descriptors,
            [],
            hints,
            settings.mq_timeout,
            close=shared.close,
            engine_type="trtllm",
        )
    from lmcache.transfer import cuda, cuda_raw

    return LMCacheDrivenContext(
        *common,
        lambda: cuda_raw.describe([pool]),
        [],
        hints,
        settings.mq_timeout,
        events=cuda.CUDAEvents(pool.device),
        engine_type="trtllm",
    )
