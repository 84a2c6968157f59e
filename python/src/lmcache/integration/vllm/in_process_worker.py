# lmcache · SPDX-License-Identifier: Apache-2.0
"""The worker's half of the in-process connector: it has the cache, and waits for every load and store."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from lmcache.events.placements import ChunkEvent
from lmcache.events.subscriber import KVEventSubscriber
from lmcache.health.server_health import ServerHealth
from lmcache.integration.vllm.geometry import Geometry, check_chunk
from lmcache.integration.vllm.in_process_scheduler import InProcessPlan
from lmcache.integration.vllm.settings import is_usable_salt
from lmcache.integration.vllm.transfer_entry import TransferEntry
from lmcache.transfer.job import TransferFuture, TransferJob
from lmcache.transfer.lmcache_driven import LMCacheDrivenContext
from lmcache.utils import init_logger
from lmcache.wire.client import WireClient
from lmcache.wire.tokens import as_payload
from lmcache.wire.types import CacheKey

if TYPE_CHECKING:
    import torch

logger = init_logger(__name__)

TRANSFER_SECONDS = 30.0
"""How long the engine's step waits for a load or a store. It is memory of this process: more means a defect."""

PING_SECONDS = 10.0
CLOSE_SECONDS = 10.0
_GIGABYTE = 1024**3


class Server(Protocol):
    """The cache in this process, as `lmcache.native.EmbeddedServer` is one."""

    @property
    def url(self) -> str | None:
        """Where its socket is."""

    def client(self) -> Any:
        """A client with the interface of `WireClient`."""

    def close(self) -> None:
        """Ends the cache; nothing touches registered memory afterwards."""


class InProcessWorker:
    """Loads before the forward pass, stores after it. Raises at registration only. Used by one thread.

    A load that failed is told as blocks. Stores of the steps that may have computed with such blocks are left out. A
    transfer that does not end in time closes the cache, because it might still touch blocks that others use by then.
    """

    def __init__(
        self, server: Server, geometry: Geometry, model_name: str, chunk_size: int, steps_in_flight: int = 2
    ) -> None:
        check_chunk(geometry, chunk_size)
        self._server = server
        self._client = server.client()
        self._geometry = geometry
        self._model_name = model_name
        self._chunk_size = chunk_size
        self._steps_in_flight = steps_in_flight
        self._instance_id = random.SystemRandom().getrandbits(63)
        self._health = ServerHealth(self._client, PING_SECONDS, self._instance_id, recover=self._register_again)
        self._context: LMCacheDrivenContext | None = None
        self._device: Any = None
        self._bytes_per_token = 0.0
        self._loads: list[tuple[TransferEntry, TransferFuture | None, float]] = []
        self._totals: dict[str, int] = {}
        self._failed_blocks: set[int] = set()
        self._tainted_until = -1
        self._recovered: set[str] = set()
        self._step = 0
        self._is_closed = False
        self._events: KVEventSubscriber | None = None
        self._events_client: WireClient | None = None

    @property
    def is_registered(self) -> bool:
        """Whether the cache knows the engine's memory."""
        return self._context is not None

    @property
    def instance_id(self) -> int:
        """The name of this worker with its cache."""
        return self._instance_id

    def register(self, kv_caches: Mapping[str, torch.Tensor], layout_hints: Mapping[str, Any]) -> None:
        """Makes the engine's memory known to the cache. Raises what went wrong."""
        from lmcache.native.memory import describe_process_memory

        tensors = list(kv_caches.values())
        if not tensors:
            raise ValueError("the engine has no cache to register")
        self._device = tensors[0].device
        if self._device.type not in ("cpu", "cuda"):
            raise ValueError(f"memory of device {self._device} is not supported")
        context = LMCacheDrivenContext(
            self._client,
            self._instance_id,
            self._model_name,
            1,
            lambda: describe_process_memory(tensors, _device_name(self._device)),
            self._geometry.group_infos(kv_caches),
            layout_hints,
            TRANSFER_SECONDS,
        )
        context.register()
        self._context = context
        if self._events is not None:
            # What is stored before a stream begins is not told.
            self._health.start()
            self._events.start()
        blocks = max(1, max(int(tensor.shape[0]) for tensor in tensors))
        size = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
        self._bytes_per_token = size / blocks / self._geometry.common_span

    def _register_again(self) -> None:
        if self._context is not None and not self._is_closed:
            self._context.register()

    # Events

    def publish_events(self) -> None:
        """From the registration on `events` tells what comes and goes. To be called before it."""
        if self._server.url is not None:
            # Streams are for the socket only.
            self._events_client = WireClient(self._server.url)
            self._events = KVEventSubscriber(self._events_client, self._instance_id, self._model_name, _Uncounted())

    def events(self) -> list[ChunkEvent]:
        """Chunks that came or went since the last call."""
        if self._events is None or self._is_closed:
            return []
        return self._events.take()

    # Loads

    def begin_loads(self, plan: InProcessPlan) -> None:
        """Begins the loads of a step."""
        self._step = plan.step
        self._recovered.update(plan.recovered)
        if not plan.loads:
            return
        self._health.start()
        _synchronize(self._device)
        self._totals = plan.total_tokens
        for entry in plan.loads:
            began = time.perf_counter()
            self._loads.append((entry, self._submit("retrieve", entry), began))

    def end_loads(self, is_in_time: bool = True) -> None:
        """Waits for the loads that were begun; does nothing when there are none.

        What is not `is_in_time` may have come after the forward pass read it, and counts as failed.
        """
        if not self._loads:
            return
        loads, self._loads = self._loads, []
        deadline = time.monotonic() + TRANSFER_SECONDS
        for entry, future, began in loads:
            has_loaded = self._result(entry, future, deadline) and is_in_time
            required = entry.op.end - entry.op.start - entry.op.skip_first_n_tokens
            self._log_load(entry, required, has_loaded, time.perf_counter() - began)
            if not has_loaded:
                self._taint(entry)

    def _taint(self, entry: TransferEntry) -> None:
        for group, ids in zip(self._geometry.groups, entry.op.groups, strict=True):
            self._failed_blocks.update(ids[entry.op.skip_first_n_tokens // group.tokens_per_block :])
        self._tainted_until = self._step + self._steps_in_flight
        self._recovered.clear()

    def take_failed_blocks(self) -> set[int]:
        """Blocks of failed loads, once."""
        taken, self._failed_blocks = self._failed_blocks, set()
        return taken

    # Stores

    def store(self, plan: InProcessPlan) -> None:
        """Stores what a step has computed."""
        self.end_loads(is_in_time=False)
        entries = [entry for entry in plan.stores if self._is_clean(entry, plan.step)]
        if not entries:
            return
        self._health.start()
        _synchronize(self._device)
        began = time.perf_counter()
        futures = [self._submit("store", entry) for entry in entries]
        submitted = time.perf_counter()
        deadline = time.monotonic() + TRANSFER_SECONDS
        for entry, future in zip(entries, futures, strict=True):
            if self._result(entry, future, deadline):
                self._log_store(entry, time.perf_counter() - began, submitted - began)

    def _is_clean(self, entry: TransferEntry, step: int) -> bool:
        return step > self._tainted_until or entry.request_id in self._recovered

    # Both

    def _submit(self, operation: str, entry: TransferEntry) -> TransferFuture | None:
        context = self._context
        if context is None or self._is_closed or not self._health.is_healthy or not is_usable_salt(entry.cache_salt):
            return None
        op = entry.op
        key = CacheKey(
            self._model_name,
            1,
            0,
            as_payload(op.token_ids),
            op.start,
            op.end,
            entry.request_id,
            entry.cache_salt,
            entry.request_configs,
            1,
        )
        job = TransferJob(key, op.groups, op.skip_first_n_tokens)
        try:
            return context.store(job) if operation == "store" else context.retrieve(job)
        except Exception as error:
            logger.warning("%s of request %s could not begin: %s", operation, entry.request_id, error)
            return None

    def _result(self, entry: TransferEntry, future: TransferFuture | None, deadline: float) -> bool:
        if future is None:
            return False
        try:
            if not future.wait(max(0.0, deadline - time.monotonic())):
                raise TimeoutError(f"it did not end within {TRANSFER_SECONDS:g} s")
            return bool(future.result(0))
        except TimeoutError as error:
            self._disable(f"a transfer of request {entry.request_id} was given up: {error}")
        except Exception as error:
            logger.warning("a transfer of request %s failed: %s", entry.request_id, error)
        return False

    def _disable(self, reason: str) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        logger.error("%s; the cache is closed, and prompts are computed from now on", reason)
        closing = threading.Thread(target=self._end, name="lmcache-close", daemon=True)
        closing.start()
        closing.join(CLOSE_SECONDS)

    def shutdown(self) -> None:
        """Ends the cache. May be called more than once."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._context is not None and self._health.is_healthy:
            self._context.unregister()
        self._end()

    def _end(self) -> None:
        if self._events is not None and self._events_client is not None:
            self._events.stop()
            self._events_client.close()
        self._health.stop(timeout=0)
        self._client.close()
        self._health.stop()
        self._server.close()

    # Log lines; their wording is read by scripts.

    def _gigabytes(self, tokens: int) -> float:
        return tokens * self._bytes_per_token / _GIGABYTE

    def _log_store(self, entry: TransferEntry, seconds: float, put_seconds: float) -> None:
        tokens = entry.op.end - entry.op.start
        size = self._gigabytes(tokens)
        logger.info(
            "[req_id=%s] Stored %d out of total %d tokens. size: %.4f GB, cost %.4f ms, throughput: %.4f GB/s;"
            " offload_time: %.4f ms, put_time: %.4f ms",
            entry.request_id,
            tokens,
            entry.op.end,
            size,
            1000 * seconds,
            size / max(seconds, 1e-9),
            1000 * (seconds - put_seconds),
            1000 * put_seconds,
        )

    def _log_load(self, entry: TransferEntry, required: int, has_loaded: bool, seconds: float) -> None:
        tokens = required if has_loaded else 0
        size = self._gigabytes(tokens)
        logger.info(
            "[req_id=%s] Retrieved %d out of %d required tokens (from %d total tokens). size: %.4f gb,"
            " cost %.4f ms, throughput: %.4f GB/s;",
            entry.request_id,
            tokens,
            required,
            self._totals.get(entry.request_id, entry.op.end),
            size,
            1000 * seconds,
            size / max(seconds, 1e-9),
        )


class _Uncounted:
    """Nobody counts the events of a cache in the process."""

    def batch(self) -> None: ...

    def generated(self, count: int) -> None: ...

    def drained(self, count: int) -> None: ...

    def buffered(self, count: int) -> None: ...

    def resync(self, reason: str) -> None: ...


def _device_name(device: Any) -> str:
    if device.type == "cpu":
        return "cpu"
    import torch

    return str(torch.cuda.get_device_properties(device).uuid).removeprefix("GPU-").lower()


def _synchronize(device: Any) -> None:
    """Waits for what the current stream has to do; nothing on processors.

    An event cannot be opened in the process that made it, so the cache is asked only once the memory is at rest.
    """
    if device is not None and device.type == "cuda":
        import torch

        torch.cuda.current_stream(device).synchronize()
