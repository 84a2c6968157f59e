# lmcache · SPDX-License-Identifier: Apache-2.0
"""What vLLM's `LMCacheConnectorV1` builds: the cache inside the worker's process. Imports vLLM."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from vllm.distributed.kv_transfer.kv_connector.v1.base import KVConnectorBase_V1, KVConnectorMetadata, KVConnectorRole

from lmcache import __version__
from lmcache.events.placements import ChunkEvent, ChunkStored
from lmcache.inprocess.runtime_directory import claim, socket_path
from lmcache.integration.vllm.geometry import Geometry
from lmcache.integration.vllm.in_process_scheduler import InProcessPlan, InProcessScheduler
from lmcache.integration.vllm.in_process_settings import InProcessSettings
from lmcache.integration.vllm.in_process_worker import InProcessWorker
from lmcache.integration.vllm.parallel_strategy import ParallelStrategy
from lmcache.integration.vllm.scheduler_adapter import LMCacheMPSchedulerAdapter
from lmcache.integration.vllm.utils import layout_hints
from lmcache.utils import init_logger

if TYPE_CHECKING:
    import torch

logger = init_logger(__name__)

FILE_VARIABLE = "LMCACHE_CONFIG_FILE"
CONNECTOR_OPTIONS = ("lmcache.max_tokens_per_load",)
"""What the connector reads itself; other entries that begin with `lmcache.` are fields of the configuration."""

SOCKET_SECONDS = 1.0
MOCK_PREFIX = "mock_req"
"""Requests that vLLM makes up for measuring; they have no tokens worth keeping."""


@dataclass
class LMCacheConnectorMetadata(KVConnectorMetadata):
    """What crosses from the scheduler to the workers in one step."""

    plan: InProcessPlan = field(default_factory=InProcessPlan)


@dataclass(slots=True)
class CacheStoreEvent:
    """What vLLM's class reads to make a `BlockStored` of."""

    block_hashes: list[Any]
    parent_block_hash: Any
    token_ids: list[int]
    block_size: int
    medium: str | None = None
    lora_id: int | None = None
    lora_name: str | None = None


class LMCacheConnectorV1Impl:
    """The in-process connector behind vLLM's own class. `parent` is that class, which keeps the metadata of the step.

    Whatever goes wrong at start, and a worker that is gone later, leave an engine that computes every prompt. With
    `use_layerwise` loads begin before the forward pass and are waited for at its first layer.
    """

    def __init__(self, vllm_config: Any, role: KVConnectorRole, parent: Any, can_wait: bool = True) -> None:
        self._parent = parent
        self._vllm_config = vllm_config
        self._kv_cache_config = getattr(parent, "_kv_cache_config", None)
        self._can_wait = can_wait
        self._settings: InProcessSettings | None = None
        self._scheduler: InProcessScheduler | None = None
        self._worker: InProcessWorker | None = None
        self.kv_caches: dict[str, torch.Tensor] = {}
        if getattr(type(parent), "shutdown", None) is getattr(KVConnectorBase_V1, "shutdown", None):
            # vLLM's class forwards everything but the end.
            parent.shutdown = self.shutdown
        name = "scheduler" if role == KVConnectorRole.SCHEDULER else "worker"
        try:
            if role == KVConnectorRole.SCHEDULER:
                self._start_scheduler()
            else:
                self._start_worker()
        except Exception as error:
            self._fall_back(name, error)
        else:
            logger.info(
                "LMCache initialized for role %s with version %s, vllm version %s, lmcache cache_engine metadata: %s",
                name,
                __version__,
                _vllm_version(),
                self._metadata(),
            )

    # Start

    def _configuration(self, rank: int) -> tuple[str, InProcessSettings]:
        from lmcache.native import configuration_document, resolve_configuration

        transfer = self._vllm_config.kv_transfer_config
        extra = transfer.kv_connector_extra_config or {}
        fields = {name: value for name, value in extra.items() if name not in CONNECTOR_OPTIONS}
        text = configuration_document(os.environ.get(FILE_VARIABLE) or None, os.environ, fields, rank)
        resolved = dict(resolve_configuration(text))
        for notice in resolved.pop("notices", None) or []:
            logger.warning("%s", notice)
        standard = resolve_configuration("{}")
        changed = {name: value for name, value in resolved.items() if value != standard.get(name)}
        logger.info("LMCache Configuration: %s (all else is at its default)", changed)
        self._settings = InProcessSettings.of(resolved, extra, transfer.kv_role)
        return text, self._settings

    def _geometry(self) -> Geometry:
        parallel = self._vllm_config.parallel_config
        for name in ("decode_context_parallel_size", "prefill_context_parallel_size"):
            if int(getattr(parallel, name, 1) or 1) > 1:
                raise ValueError("context parallelism is not supported")
        geometry = Geometry.of(self._kv_cache_config, int(self._vllm_config.cache_config.block_size))
        if len(geometry.groups) > 1:
            raise ValueError("several groups of layers need --disable-hybrid-kv-cache-manager")
        return geometry

    def _start_scheduler(self) -> None:
        _, settings = self._configuration(0)
        geometry = self._geometry()
        world_size = int(self._vllm_config.parallel_config.world_size)
        paths = [socket_path(self._engine_id(), rank) for rank in range(world_size)]
        _wait_for_sockets(paths)
        adapter = LMCacheMPSchedulerAdapter(
            server_urls=[f"ipc://{path}" for path in paths],
            context=None,
            model_name=self._vllm_config.model_config.model,
            vllm_block_size=geometry.common_span,
            parallel_strategy=_strategy(),
            mq_timeout=settings.lookup_timeout,
        )
        try:
            if adapter.chunk_size != settings.chunk_size:
                raise ValueError(f"the workers have chunks of {adapter.chunk_size} tokens, not {settings.chunk_size}")
            self._scheduler = InProcessScheduler(adapter, geometry, settings, world_size, self._steps_in_flight())
        except BaseException:
            adapter.shutdown()
            raise

    def _start_worker(self) -> None:
        from lmcache.native import EmbeddedServer

        rank = int(self._vllm_config.parallel_config.rank)
        text, settings = self._configuration(rank)
        geometry = self._geometry()
        path = socket_path(self._engine_id(), rank)
        claim(path)
        server = EmbeddedServer(text, path)
        try:
            self._worker = InProcessWorker(
                server, geometry, self._vllm_config.model_config.model, settings.chunk_size, self._steps_in_flight()
            )
            if settings.enable_kv_events and rank == 0:
                self._worker.publish_events()
        except BaseException:
            server.close()
            raise

    def _engine_id(self) -> str:
        return str(self._vllm_config.kv_transfer_config.engine_id)

    def _steps_in_flight(self) -> int:
        """Steps that the engine begins, at most, before it hears of the end of one."""
        return 1 + max(1, int(getattr(self._vllm_config.parallel_config, "pipeline_parallel_size", 1)))

    def _metadata(self) -> dict[str, Any]:
        parallel, model = self._vllm_config.parallel_config, self._vllm_config.model_config
        return {
            "model_name": model.model,
            "world_size": parallel.world_size,
            "worker_id": getattr(parallel, "rank", 0),
            "kv_dtype": str(getattr(model, "dtype", "")),
            "chunk_size": None if self._settings is None else self._settings.chunk_size,
        }

    def _fall_back(self, role: str, error: Exception) -> None:
        self._worker, self._scheduler = None, None
        text = " ".join(str(error).split()) or type(error).__name__
        logger.error("LMCache is off in the %s, prompts are computed without it: %s", role, text)

    # Worker

    def _plan(self) -> InProcessPlan:
        metadata = self._parent._get_connector_metadata()
        return metadata.plan if isinstance(metadata, LMCacheConnectorMetadata) else InProcessPlan()

    def register_kv_caches(self, kv_caches: dict[str, torch.Tensor]) -> None:
        """Makes the engine's memory known to the cache; without that the worker computes."""
        self.kv_caches = kv_caches
        if self._worker is None:
            return
        try:
            self._worker.register(kv_caches, layout_hints(self._vllm_config, self._kv_cache_config))
        except Exception as error:
            worker = self._worker
            self._fall_back("worker", error)
            worker.shutdown()

    def bind_connector_metadata(self, connector_metadata: KVConnectorMetadata) -> None:
        """Nothing: the step's plan is read from the parent."""

    def start_load_kv(self, forward_context: Any, **kwargs: Any) -> None:
        """Loads what this step's requests need."""
        if self._worker is not None and not self._worker.is_registered:
            # Old engines do not hand their memory over in any other way.
            self.register_kv_caches(_caches_of(forward_context))
        if self._worker is None:
            return
        self._worker.begin_loads(self._plan())
        if self._settings is None or not self._settings.use_layerwise:
            self._worker.end_loads()

    def wait_for_layer_load(self, layer_name: str) -> None:
        """Waits for the loads; whole requests are loaded, so the first layer waits for all."""
        if self._worker is not None:
            self._worker.end_loads()

    def save_kv_layer(self, layer_name: str, kv_layer: Any, attn_metadata: Any, **kwargs: Any) -> None:
        """Nothing: chunks are stored whole, after the step."""

    def wait_for_save(self) -> None:
        """Stores what this step has computed."""
        if self._worker is not None:
            self._worker.store(self._plan())

    def get_finished(self, finished_req_ids: set[str]) -> tuple[set[str] | None, set[str] | None]:
        """Requests whose blocks were kept for a last store."""
        return set(self._plan().kept) or None, None

    def get_block_ids_with_load_errors(self) -> set[int]:
        """Blocks whose loads failed since the last call."""
        return set() if self._worker is None else self._worker.take_failed_blocks()

    def take_chunk_events(self) -> list[ChunkEvent]:
        """Chunks that came or went since the last call; nothing unless `enable_kv_events` is set."""
        return [] if self._worker is None else self._worker.events()

    def get_kv_events(self) -> list[CacheStoreEvent]:
        """Chunks that became available since the last call; vLLM's class has no word for those that went."""
        if not (events := self.take_chunk_events()):
            return []
        from lmcache.integration.vllm.kv_events import as_vllm_hash

        return [
            CacheStoreEvent(
                block_hashes=[as_vllm_hash(item) for item in event.hashes],
                parent_block_hash=None if event.parent is None else as_vllm_hash(event.parent),
                token_ids=list(event.tokens),
                block_size=self.chunk_size,
                medium=event.medium,
            )
            for event in events
            if isinstance(event, ChunkStored)
        ]

    @property
    def chunk_size(self) -> int:
        """Tokens of a chunk, 0 without a cache."""
        return 0 if self._settings is None else self._settings.chunk_size

    def reset_cache(self) -> bool | None:
        """Empties the workers' caches of what nobody uses."""
        return None if self._scheduler is None else self._scheduler.adapter.reset_cache()

    def shutdown(self) -> None:
        """Ends the cache, or the connections to it. May be called more than once."""
        if self._worker is not None:
            self._worker.shutdown()
        if self._scheduler is not None:
            self._scheduler.adapter.shutdown()

    # Scheduler

    def get_num_new_matched_tokens(self, request: Any, num_computed_tokens: int) -> int | None:
        """Tokens that a load would bring beyond the engine's own, none while it is not known."""
        if self._scheduler is None or request.request_id.startswith(MOCK_PREFIX):
            return 0
        deadline = None
        if not self._can_wait and self._settings is not None:
            deadline = time.monotonic() + self._settings.lookup_timeout
        return self._scheduler.matched(request, num_computed_tokens, deadline)

    def update_state_after_alloc(self, request: Any, num_external_tokens: int) -> None:
        """The request has its blocks."""
        if self._scheduler is not None:
            self._scheduler.allocated(request, num_external_tokens)

    def build_connector_meta(self, scheduler_output: Any) -> KVConnectorMetadata:
        """What the workers do in this step."""
        if self._scheduler is None:
            return LMCacheConnectorMetadata()
        return LMCacheConnectorMetadata(self._scheduler.step(scheduler_output))

    def request_finished(self, request: Any, block_ids: list[int]) -> tuple[bool, dict[str, Any] | None]:
        """The request is over: whether its blocks must stay for one more step, and what to tell the client."""
        return (False, None) if self._scheduler is None else self._scheduler.over(request)


def _wait_for_sockets(paths: list[str]) -> None:
    """Workers start before the scheduler; a socket that is not there soon belongs to a worker without a cache."""
    deadline = time.monotonic() + SOCKET_SECONDS
    while missing := [path for path in paths if not os.path.exists(path)]:
        if time.monotonic() > deadline:
            raise ConnectionError(
                f"{len(missing)} of {len(paths)} workers have no cache, their logs say why (no socket {missing[0]})"
            )
        time.sleep(0.01)


def _strategy() -> ParallelStrategy:
    """Every worker has a cache of its own and is alone in it."""
    return ParallelStrategy(
        mla_only=False, vllm_world_size=1, vllm_worker_id=0, tp_size=1, pp_size=1, n_servers=1
    )


def _caches_of(forward_context: Any) -> dict[str, torch.Tensor]:
    """The caches of the attention layers that a forward pass is about to use."""
    caches: dict[str, torch.Tensor] = {}
    for name, layer in (getattr(forward_context, "no_compile_layers", None) or {}).items():
        cache = getattr(layer, "kv_cache", None)
        if isinstance(cache, (list, tuple)):
            cache = cache[getattr(forward_context, "virtual_engine", 0)] if cache else None
        if cache is not None:
            caches[name] = cache
    return caches


def _vllm_version() -> str:
    import vllm

    return str(getattr(vllm, "__version__", "unknown"))


__all__ = ["LMCacheConnectorMetadata", "LMCacheConnectorV1Impl"]
