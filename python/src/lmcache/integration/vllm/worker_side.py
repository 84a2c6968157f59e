# lmcache · SPDX-License-Identifier: Apache-2.0
"""The worker's half of the connector."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lmcache.events.placements import ChunkEvent
from lmcache.integration.vllm.geometry import Geometry, check_chunk
from lmcache.integration.vllm.step_plan import StepPlan
from lmcache.integration.vllm.transfer_entry import TransferEntry
from lmcache.integration.vllm.worker_adapter import LMCacheMPWorkerAdapter

if TYPE_CHECKING:
    import torch


class WorkerSide:
    """Carries out the plan of each step and says what has ended. Used by one thread.

    Knows which requests have stores, also on ranks that store nothing, because the scheduler keeps blocks for those
    only, and vLLM fails on an end it does not wait for.
    """

    def __init__(self, adapter: LMCacheMPWorkerAdapter, geometry: Geometry) -> None:
        check_chunk(geometry, adapter.chunk_size)
        self.adapter = adapter
        self._geometry = geometry
        self._with_stores: set[str] = set()

    def register(self, kv_caches: Mapping[str, torch.Tensor], layout_hints: Mapping[str, Any]) -> None:
        """Makes the engine's memory known to the server."""
        self.adapter.register_kv_caches(kv_caches, self._geometry.group_infos(kv_caches), layout_hints)

    def load(self, plan: StepPlan) -> None:
        """Begins the loads of a step."""
        if not plan.loads:
            return
        self._with_stores -= {entry.request_id for entry in plan.loads}
        event = self.adapter.create_recorded_event()
        self.adapter.batched_submit_retrieve_requests(*self._lists(plan.loads, event))

    def store(self, plan: StepPlan) -> None:
        """Begins the stores of a step, whose tokens have been computed."""
        if not plan.stores:
            return
        self._with_stores |= {entry.request_id for entry in plan.stores}
        event = self.adapter.create_recorded_event()
        self.adapter.batched_submit_store_requests(*self._lists(plan.stores, event))

    def finished(self, finished_req_ids: set[str]) -> tuple[set[str] | None, set[str] | None]:
        """Requests whose blocks can go, and requests whose load ended."""
        announced = finished_req_ids & self._with_stores if finished_req_ids else finished_req_ids
        self._with_stores -= announced
        return self.adapter.get_finished(announced)

    def events(self) -> list[ChunkEvent]:
        """Chunks that came to the server or went since the last call."""
        return self.adapter.get_kv_events()

    @staticmethod
    def _lists(entries: list[TransferEntry], event: Any) -> tuple[Any, ...]:
        return (
            [entry.request_id for entry in entries],
            [entry.op for entry in entries],
            event,
            [entry.cache_salt for entry in entries],
            [entry.request_configs for entry in entries],
        )
