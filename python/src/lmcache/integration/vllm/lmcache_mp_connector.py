# lmcache · SPDX-License-Identifier: Apache-2.0
"""vLLM's connector for the multi-process mode. Imports vLLM; what only one of its roles needs, when that is built."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from vllm.distributed.kv_transfer.kv_connector.v1 import base as _base
from vllm.distributed.kv_transfer.kv_connector.v1.base import KVConnectorBase_V1, KVConnectorMetadata, KVConnectorRole

from lmcache.integration.vllm.step_plan import StepPlan
from lmcache.utils import init_logger

if TYPE_CHECKING:
    import torch

    from lmcache.integration.vllm.lazy_offload import LazyOffload
    from lmcache.integration.vllm.load_mode import LoadMode
    from lmcache.integration.vllm.scheduler_side import SchedulerSide
    from lmcache.integration.vllm.store_receipts import StoreReceipts
    from lmcache.integration.vllm.worker_side import WorkerSide

logger = init_logger(__name__)

# Older releases have neither of these.
_SupportsHMA: type = getattr(_base, "SupportsHMA", object)
_TransferResults: Any = getattr(_base, "KVConnectorTransferResults", None)


@dataclass
class LMCacheMPConnectorMetadata(KVConnectorMetadata):
    """What crosses from the scheduler to the workers in one step."""

    plan: StepPlan = field(default_factory=StepPlan)

    @property
    def requests(self) -> list[Any]:
        """All stores and loads."""
        return [*self.plan.loads, *self.plan.stores]


def _check_servers(parallel: Any, servers: int) -> None:
    world_size = int(parallel.world_size)
    if world_size % servers:
        raise ValueError(f"{servers} servers do not fit {world_size} workers")
    if servers > 1 and (parallel.pipeline_parallel_size > 1 or int(getattr(parallel, "data_parallel_size", 1)) > 1):
        raise ValueError("several servers can be used with tensor parallelism only, not with pipelines or replicas")


class LMCacheMPConnector(KVConnectorBase_V1, _SupportsHMA):  # type: ignore[misc]
    """Looks prompts up before blocks are allocated, loads what is found, and stores whole chunks as they are computed.

    A server that is away costs recomputation. Raises `ValueError` or `ConnectionError` at start when the configuration
    or the server does not fit.
    """

    def __init__(self, vllm_config: Any, role: KVConnectorRole, kv_cache_config: Any = None) -> None:
        super().__init__(vllm_config, role, kv_cache_config)
        from lmcache.integration.vllm.context_parallel import cache_model_name, check_context_parallel
        from lmcache.integration.vllm.geometry import Geometry, check_steps
        from lmcache.integration.vllm.parallel_strategy import ParallelStrategy
        from lmcache.integration.vllm.settings import ConnectorSettings
        from lmcache.integration.vllm.utils import mla_only

        transfer = vllm_config.kv_transfer_config
        parallel = vllm_config.parallel_config
        self._layout_source = (vllm_config, kv_cache_config)
        self._settings = ConnectorSettings.parse(transfer.kv_connector_extra_config or {})
        if role == KVConnectorRole.SCHEDULER:
            for line in self._settings.lines():
                logger.info("%s", line)
        events_config = getattr(vllm_config, "kv_events_config", None)
        self._has_events = bool(getattr(events_config, "enable_kv_cache_events", False))
        self._events: list[Any] = []
        self._block_pool: Any = None
        self._is_storing = transfer.kv_role in ("kv_producer", "kv_both")
        lazy = self._settings.lazy_offload
        if lazy is not None:
            from lmcache.integration.vllm.lazy_metadata import check_engine

            check_engine(vllm_config)
        self._lazy: LazyOffload | None = None
        self._receipts: StoreReceipts | None = None
        world_size, servers = int(parallel.world_size), len(self._settings.urls)
        _check_servers(parallel, servers)
        block_size = int(vllm_config.cache_config.block_size)
        dcp_size = check_context_parallel(parallel, kv_cache_config, block_size, servers)
        geometry = Geometry.of(kv_cache_config, block_size, dcp_size)
        check_steps(vllm_config, geometry)
        self._has_groups = len(geometry.groups) > 1
        rank = 0 if role == KVConnectorRole.SCHEDULER else int(parallel.rank)
        urls = self._settings.urls if role == KVConnectorRole.SCHEDULER else [self._server_of(rank, world_size)]
        self._scheduler: SchedulerSide | None = None
        self._worker: WorkerSide | None = None
        arguments = {
            "server_urls": urls,
            "context": None,
            "model_name": cache_model_name(vllm_config.model_config.model, parallel),
            "vllm_block_size": geometry.common_span,
            "parallel_strategy": ParallelStrategy(
                mla_only=mla_only(vllm_config.model_config),
                vllm_world_size=world_size,
                vllm_worker_id=rank,
                tp_size=parallel.tensor_parallel_size,
                pp_size=parallel.pipeline_parallel_size,
                n_servers=servers,
                dcp_size=dcp_size,
            ),
            "mq_timeout": self._settings.mq_timeout,
            "heartbeat_interval": self._settings.heartbeat_interval,
            "extra_config": {"lmcache.mp.mp_transfer_mode": self._settings.mode},
            "enable_kv_events": self._has_events,
        }
        if self._settings.autostart is not None:
            from lmcache.integration.vllm.autostart import ensure_server

            is_first = int(getattr(parallel, "data_parallel_rank", 0)) == 0 and rank == 0
            ensure_server(urls[0], self._settings.autostart, is_first and role == KVConnectorRole.WORKER)
        if role == KVConnectorRole.SCHEDULER:
            from lmcache.integration.vllm.scheduler_adapter import LMCacheMPSchedulerAdapter
            from lmcache.integration.vllm.scheduler_side import SchedulerSide

            adapter = LMCacheMPSchedulerAdapter(**arguments)
            parts = (
                adapter,
                geometry,
                self._is_storing,
                self._settings.save_decode_cache,
                self._load_mode(vllm_config, adapter.replies_when_loaded),
            )
            if lazy is not None and self._is_storing:
                from lmcache.integration.vllm.lazy_scheduler_side import LazySchedulerSide

                self._scheduler = side = LazySchedulerSide(*parts, settings=lazy, ranks=world_size)
                self._lazy = side.lazy
            else:
                self._scheduler = SchedulerSide(*parts)
            logger.info("cache servers %s, chunks of %d tokens", ", ".join(urls), adapter.chunk_size)
        elif lazy is not None and self._is_storing:
            from lmcache.integration.vllm.lazy_worker_side import LazyWorkerSide
            from lmcache.integration.vllm.worker_adapter import LMCacheMPWorkerAdapter

            self._worker = worker = LazyWorkerSide(LMCacheMPWorkerAdapter(**arguments), geometry)
            self._receipts = worker.receipts
        else:
            from lmcache.integration.vllm.worker_adapter import LMCacheMPWorkerAdapter
            from lmcache.integration.vllm.worker_side import WorkerSide

            self._worker = WorkerSide(LMCacheMPWorkerAdapter(**arguments), geometry)

    def _load_mode(self, vllm_config: Any, is_announced: bool) -> LoadMode:
        from lmcache.integration.vllm.load_mode import LoadMode, hindrance

        keeps_pool = hasattr(KVConnectorBase_V1, "bind_gpu_block_pool")
        why = hindrance(vllm_config, self._has_groups, is_announced, keeps_pool)
        if why is not None and self._settings.load_mode != "async":
            # Only somebody who asked for it expects otherwise.
            log = logger.warning if self._settings.load_mode == "inline" else logger.info
            log("lmcache.mp.load_mode is async in effect: %s", why)
        return LoadMode(self._settings.load_mode, why)

    def _server_of(self, rank: int, world_size: int) -> str:
        return self._settings.urls[rank // (world_size // len(self._settings.urls))]

    def _plan(self) -> StepPlan:
        metadata = self._get_connector_metadata()
        return metadata.plan if isinstance(metadata, LMCacheMPConnectorMetadata) else StepPlan()

    # Worker

    def register_kv_caches(self, kv_caches: dict[str, torch.Tensor]) -> None:
        """Makes the cache's memory known to the server."""
        from lmcache.integration.vllm.utils import layout_hints

        assert self._worker is not None
        hints = layout_hints(*self._layout_source)
        if getattr(self._layout_source[1], "has_mamba_layers", False):
            from lmcache.integration.vllm.state_pages import as_blocks

            kv_caches = as_blocks(self._layout_source[1], kv_caches, hints)
        self._worker.register(kv_caches, hints)

    def handle_preemptions(self, kv_connector_metadata: KVConnectorMetadata) -> None:
        """Waits for stores that read blocks which are about to be used again; begins loads that the step waits for."""
        if self._worker is not None and isinstance(kv_connector_metadata, LMCacheMPConnectorMetadata):
            self._worker.arrive(kv_connector_metadata.plan)

    def start_load_kv(self, forward_context: Any, **kwargs: Any) -> None:
        """Begins the loads of this step; requests run in a later one, or wait on the device in this one."""
        if self._worker is not None:
            self._worker.load(self._plan())

    def wait_for_layer_load(self, layer_name: str) -> None:
        """Nothing: loads end before their requests run, or the device waits before the first layer."""

    def save_kv_layer(self, layer_name: str, kv_layer: Any, attn_metadata: Any, **kwargs: Any) -> None:
        """Nothing: chunks are stored whole, after the step."""

    def wait_for_save(self) -> None:
        """Begins the stores of this step without waiting for them."""
        if self._worker is not None:
            self._worker.store(self._plan())

    def get_finished(self, finished_req_ids: set[str]) -> tuple[set[str] | None, set[str] | None]:
        """Requests whose blocks can go, and requests whose load ended."""
        return (None, None) if self._worker is None else self._worker.finished(finished_req_ids)

    def get_transfer_results(self, finished_req_ids: set[str]) -> Any:
        """The same, with the loads that failed by request where block ids of several groups would be mixed."""
        sent, received = self.get_finished(finished_req_ids)
        results = _TransferResults(finished_sending=sent or set(), finished_recving=received or set())
        if self._worker is not None:
            failed = self._worker.adapter.get_failed_request_ids()
            if self._has_groups:
                results.failed_recving = failed
        return results

    def get_block_ids_with_load_errors(self) -> set[int]:
        """Blocks whose loads failed; with several groups the requests are named instead."""
        if self._worker is None:
            return set()
        blocks = self._worker.adapter.get_block_ids_with_load_errors()
        return set() if self._has_groups and _TransferResults is not None else blocks

    def get_kv_connector_kv_cache_events(self) -> Any:
        """Chunks that came to the server or went since the last step, none when there are none."""
        if self._worker is None or not self._has_events:
            return None
        events = self._worker.events()
        if not events:
            return None
        from lmcache.integration.vllm.kv_events import as_vllm_events

        return as_vllm_events(events, self._worker.adapter.chunk_size)

    def build_connector_worker_meta(self) -> Any:
        """The deferred stores that ended since the last step, none when there are none."""
        if self._receipts is None:
            return None
        from lmcache.integration.vllm.lazy_metadata import LMCacheMPWorkerMetadata

        completed, failed = self._receipts.take()
        return LMCacheMPWorkerMetadata(completed, failed) if completed else None

    def shutdown(self) -> None:
        """Unregisters and closes."""
        if self._worker is not None:
            self._worker.close()
        if self._lazy is not None and self._scheduler is not None:
            self._scheduler.adapter.end_sessions(self._lazy.close())
        if self._scheduler is not None:
            self._scheduler.adapter.shutdown()

    # Scheduler

    def bind_gpu_block_pool(self, gpu_block_pool: Any) -> None:
        """The engine's blocks: those of failed loads are taken out of its cache, and deferred stores wait in them."""
        self._block_pool = gpu_block_pool
        if self._lazy is not None:
            self._lazy.bind(gpu_block_pool)

    def has_pending_push_work(self) -> bool:
        """Whether the engine has to go on stepping until deferred stores that are on their way have ended."""
        return self._lazy is not None and self._lazy.is_storing

    def on_new_request(self, request: Any) -> None:
        """Looks the prompt up on arrival, when that is wanted."""
        if self._scheduler is not None and self._settings.eager_prefetch and not getattr(request, "resumable", False):
            self._scheduler.look_ahead(request)

    def get_num_new_matched_tokens(self, request: Any, num_computed_tokens: int) -> tuple[int | None, bool]:
        """Tokens that a load would bring beyond the engine's own."""
        assert self._scheduler is not None
        return self._scheduler.matched_tokens(request, num_computed_tokens)

    def update_state_after_alloc(self, request: Any, blocks: Any, num_external_tokens: int) -> None:
        """The request has its blocks."""
        assert self._scheduler is not None
        self._scheduler.blocks_allocated(request, blocks.get_block_ids(), num_external_tokens)

    def build_connector_meta(self, scheduler_output: Any) -> KVConnectorMetadata:
        """What the workers do in this step."""
        assert self._scheduler is not None
        return LMCacheMPConnectorMetadata(self._scheduler.plan(scheduler_output))

    def request_finished(self, request: Any, block_ids: list[int]) -> tuple[bool, dict[str, Any] | None]:
        """The request is over: whether its blocks must stay, and what to tell the client."""
        assert self._scheduler is not None
        return self._scheduler.finished(request)

    def request_finished_all_groups(
        self, request: Any, block_ids: tuple[list[int], ...]
    ) -> tuple[bool, dict[str, Any] | None]:
        """The same for several groups of layers."""
        assert self._scheduler is not None
        return self._scheduler.finished(request)

    def reset_cache(self) -> bool | None:
        """Empties the servers of what nobody uses."""
        return None if self._scheduler is None else self._scheduler.adapter.reset_cache()

    def update_connector_output(self, connector_output: Any) -> None:
        """Takes in what the workers of a step had to tell."""
        failed = getattr(connector_output, "invalid_block_ids", None)
        if failed and self._scheduler is not None and self._block_pool is not None and not self._has_groups:
            # A request that computes in the same step has its blocks in the engine's cache already.
            self._block_pool.evict_blocks(self._scheduler.spoiled_blocks(failed))
        if self._lazy is not None:
            from lmcache.integration.vllm.lazy_metadata import LMCacheMPWorkerMetadata

            told = connector_output.kv_connector_worker_meta
            if isinstance(told, LMCacheMPWorkerMetadata):
                self._lazy.ended(told.completed, told.failed)
        events = getattr(connector_output, "kv_cache_events", None)
        if events:
            self._events += events.aggregate().get_all_events()

    def take_events(self) -> Iterable[Any]:
        """KV events since the last call."""
        if not self._events:
            return ()
        taken, self._events = self._events, []
        return taken

    # Metrics

    def get_kv_connector_stats(self) -> Any:
        """Lookup times since the last call, none when there were no lookups."""
        seconds = [] if self._scheduler is None else self._scheduler.take_lookup_seconds()
        if not seconds:
            return None
        from lmcache.integration.vllm.metrics import LOOKUP_SECONDS

        return self.build_kv_connector_stats({LOOKUP_SECONDS: seconds})

    @classmethod
    def build_kv_connector_stats(cls, data: dict[str, Any] | None = None) -> Any:
        """The container of lookup times."""
        from lmcache.integration.vllm.metrics import LMCacheMPConnectorStats

        return LMCacheMPConnectorStats(data=data or {})

    @classmethod
    def build_prom_metrics(
        cls,
        vllm_config: Any,
        metric_types: dict[Any, Any],
        labelnames: list[str],
        per_engine_labelvalues: dict[int, list[object]],
    ) -> Any:
        """The histogram of lookup times."""
        from lmcache.integration.vllm.metrics import LMCacheMPPromMetrics

        return LMCacheMPPromMetrics(vllm_config, metric_types, labelnames, per_engine_labelvalues)
