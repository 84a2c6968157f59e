# lmcache · SPDX-License-Identifier: Apache-2.0
"""The worker's half of the connector."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lmcache.events.placements import ChunkEvent
from lmcache.integration.vllm.geometry import Geometry, check_chunk
from lmcache.integration.vllm.inline_loads import InlineLoads
from lmcache.integration.vllm.step_plan import StepPlan
from lmcache.integration.vllm.transfer_entry import TransferEntry
from lmcache.integration.vllm.worker_adapter import LMCacheMPWorkerAdapter
from lmcache.transfer.job import TransferFuture
from lmcache.utils import init_logger

if TYPE_CHECKING:
    import torch

logger = init_logger(__name__)

YIELD_SECONDS = 0.0003

WITHHELD_STEPS = 4
"""Steps after a failed load whose stores are left out: they may have been scheduled before the failure was known, for
any request that shares the blocks.
"""


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
        self._inline: InlineLoads | None = None
        self._begun: StepPlan | None = None
        self._withheld_steps = 0

    def register(self, kv_caches: Mapping[str, torch.Tensor], layout_hints: Mapping[str, Any]) -> None:
        """Makes the engine's memory known to the server."""
        self.adapter.register_kv_caches(kv_caches, self._geometry.group_infos(kv_caches), layout_hints)

    def arrive(self, plan: StepPlan) -> None:
        """A step's blocks are about to be used: waits for stores that read them; begins the loads that it waits for."""
        self.adapter.handle_preemptions(plan.must_flush)
        if plan.begins_early and any(entry.is_inline for entry in plan.loads):
            self._begin_inline(plan, self.adapter.create_recorded_event())
            # The client's thread must get hold of the interpreter to send them; it would have to wait for milliseconds.
            time.sleep(YIELD_SECONDS)

    def load(self, plan: StepPlan) -> None:
        """Begins the loads of a step, and lets the step wait for those that belong to it."""
        if not plan.loads:
            return
        self._with_stores -= {entry.request_id for entry in plan.loads}
        later = [entry for entry in plan.loads if not entry.is_inline]
        must_begin = len(later) < len(plan.loads) and plan is not self._begun
        event = self.adapter.create_recorded_event() if later or must_begin else None
        if must_begin:
            self._begin_inline(plan, event)
        self._begun = None
        if self._inline is not None:
            self._inline.hold()
        if later:
            self.adapter.batched_submit_retrieve_requests(*self._lists(later, event))

    def store(self, plan: StepPlan) -> None:
        """Begins the stores of a step, whose tokens have been computed, unless that was done without all bytes."""
        if plan.stores:
            self._with_stores |= {entry.request_id for entry in plan.stores}
        self._begin_stores(plan)

    def finished(self, finished_req_ids: set[str]) -> tuple[set[str] | None, set[str] | None]:
        """Requests whose blocks can go, and requests whose load ended."""
        self._settle()
        announced = finished_req_ids & self._with_stores if finished_req_ids else finished_req_ids
        self._with_stores -= announced
        return self.adapter.get_finished(announced)

    def events(self) -> list[ChunkEvent]:
        """Chunks that came to the server or went since the last call."""
        return self.adapter.get_kv_events()

    def close(self) -> None:
        """Lets the device go on, and closes."""
        if self._inline is not None:
            self._inline.close()
        self.adapter.shutdown()

    def _begin_stores(self, plan: StepPlan) -> list[TransferFuture | None]:
        """Begins the stores of a step; gives none for each that could not begin or must not."""
        is_withheld = self._withheld_steps > 0
        if is_withheld:
            self._withheld_steps -= 1
        if not plan.stores:
            return []
        if is_withheld or not self._settle():
            return [None] * len(plan.stores)
        event = self.adapter.create_recorded_event()
        return self.adapter.batched_submit_store_requests(*self._lists(plan.stores, event))

    def _begin_inline(self, plan: StepPlan, event: Any) -> None:
        self._begun = plan
        if self._inline is None:
            self._inline = self.adapter.make_inline_loads()
        self._inline.begin(
            [
                self.adapter.begin_inline_load(
                    entry.request_id, entry.op, event, entry.cache_salt, entry.request_configs
                )
                for entry in plan.loads
                if entry.is_inline
            ]
        )

    def _settle(self) -> bool:
        """Waits for the loads that steps wait for; returns whether all of them brought their bytes."""
        failed = self._inline.settle() if self._inline is not None else []
        for load in failed:
            logger.warning("load of request %s failed; its step is taken back", load.request_id)
            self.adapter.add_failed_blocks(load.blocks)
        if failed:
            self._withheld_steps = WITHHELD_STEPS
        return not failed

    @staticmethod
    def _lists(entries: list[TransferEntry], event: Any) -> tuple[Any, ...]:
        return (
            [entry.request_id for entry in entries],
            [entry.op for entry in entries],
            event,
            [entry.cache_salt for entry in entries],
            [entry.request_configs for entry in entries],
        )
