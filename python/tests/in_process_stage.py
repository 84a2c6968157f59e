# lmcache · SPDX-License-Identifier: Apache-2.0
"""An engine's scheduler and workers around the in-process connector, one step at a time in vLLM's order."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
from fabricated import output
from vllm.distributed.kv_transfer.kv_connector.v1.base import KVConnectorRole
from vllm.v1.kv_cache_interface import FullAttentionSpec, KVCacheConfig, KVCacheGroupSpec

BLOCK, HEADS, WIDTH, BLOCKS = 8, 2, 4, 32
NAMES = ["layer.0", "layer.1"]


def cache_config() -> Any:
    spec = FullAttentionSpec(block_size=BLOCK, num_kv_heads=HEADS, head_size=2, dtype=torch.float32)
    return KVCacheConfig(BLOCKS, [], [KVCacheGroupSpec(NAMES, spec)])


def vllm_config(rank: int = 0, world: int = 1, role: str = "kv_both", engine: str = "e", **extra: Any) -> Any:
    options = {name if name == "skip_last_n_tokens" else f"lmcache.{name}": value for name, value in extra.items()}
    transfer = SimpleNamespace(
        kv_role=role,
        engine_id=engine,
        kv_connector_extra_config=options,
        get_from_extra_config=lambda name, default: options.get(name, default),
    )
    return SimpleNamespace(
        kv_transfer_config=transfer,
        parallel_config=SimpleNamespace(
            world_size=world, rank=rank, tensor_parallel_size=world, pipeline_parallel_size=1
        ),
        cache_config=SimpleNamespace(block_size=BLOCK, kv_cache_layout="LBHNC"),
        model_config=SimpleNamespace(model="m", use_mla=False, dtype="float32"),
    )


class Engine:
    """Workers first, then the scheduler, as vLLM starts them."""

    def __init__(self, connector: Callable[..., Any], world: int = 1, engine: str = "e", **options: Any) -> None:
        self.workers: list[Any] = []
        self.tensors: list[dict[str, Any]] = []
        self.events: list[Any] = []
        for rank in range(world):
            config = vllm_config(rank, world, engine=engine, **options)
            worker = connector(config, KVConnectorRole.WORKER, cache_config())
            tensors = {name: torch.rand(BLOCKS, HEADS, BLOCK, WIDTH) for name in NAMES}
            worker.register_kv_caches(tensors)
            self.workers.append(worker)
            self.tensors.append(tensors)
        config = vllm_config(0, world, engine=engine, **options)
        self.scheduler = connector(config, KVConnectorRole.SCHEDULER, cache_config())

    @property
    def impl(self) -> Any:
        return self.scheduler._lmcache_engine

    def matched(self, request: Any, computed: int = 0) -> int:
        """As the scheduler asks, again and again while it is not known."""
        while True:
            found, is_async = self.scheduler.get_num_new_matched_tokens(request, computed)
            assert not is_async
            if found is not None:
                return int(found)

    def admit(self, request: Any, blocks: list[int], scheduled: int | None = None, computed: int = 0) -> list[Any]:
        """A request's first step; returns what each worker says."""
        found = self.matched(request, computed)
        self.scheduler.update_state_after_alloc(request, None, found)
        begin = computed + found
        tokens = request.num_tokens - begin if scheduled is None else scheduled
        return self.step(output(new=[(request.request_id, [blocks], begin, tokens)]), has_loads=found > 0)

    def step(self, scheduled: Any, has_loads: bool = False, finished: set[str] | None = None) -> list[Any]:
        metadata = self.scheduler.build_connector_meta(scheduled)
        return [self._work(worker, metadata, has_loads, finished or set()) for worker in self.workers]

    def _work(self, worker: Any, metadata: Any, has_loads: bool, finished: set[str]) -> Any:
        worker.bind_connector_metadata(pickle.loads(pickle.dumps(metadata)))
        if has_loads:
            worker.start_load_kv(None)
        for name in NAMES:
            worker.wait_for_layer_load(name)
            worker.save_kv_layer(name, None, None)
        if not has_loads:
            worker.start_load_kv(None)
        worker.wait_for_save()
        sent, received = worker.get_finished(finished)
        assert received is None
        errors = worker.get_block_ids_with_load_errors()
        self.take_events(worker)
        worker.clear_connector_metadata()
        return SimpleNamespace(sent=sent, errors=errors)

    def take_events(self, worker: Any) -> list[Any]:
        """Adds what a worker tells to `events`."""
        told = worker.get_kv_connector_kv_cache_events()
        self.events += [] if told is None else told.get_all_events()
        return self.events

    def finish(self, request: Any, status: str = "FINISHED_STOPPED") -> Any:
        request.status = SimpleNamespace(name=status)
        return self.scheduler.request_finished(request, [])

    def blocks(self, ids: list[int], rank: int = 0) -> Any:
        return torch.stack([tensor[ids] for tensor in self.tensors[rank].values()])

    def shutdown(self) -> None:
        for worker in self.workers:
            worker.shutdown()
        self.scheduler.shutdown()
