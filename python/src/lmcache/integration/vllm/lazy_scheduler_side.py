# lmcache · SPDX-License-Identifier: Apache-2.0
"""The scheduler's half of the connector when stores are deferred."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lmcache.integration.vllm.geometry import Geometry
from lmcache.integration.vllm.lazy_offload import LazyOffload
from lmcache.integration.vllm.request_tracker import RequestTracker
from lmcache.integration.vllm.scheduler_adapter import LMCacheMPSchedulerAdapter
from lmcache.integration.vllm.scheduler_side import SchedulerSide
from lmcache.integration.vllm.settings import LazyOffloadSettings
from lmcache.integration.vllm.step_plan import StepPlan


class LazySchedulerSide(SchedulerSide):
    """Stores wait in the engine's blocks, also of requests that are over, which therefore keep no blocks."""

    def __init__(
        self,
        adapter: LMCacheMPSchedulerAdapter,
        geometry: Geometry,
        *values: Any,
        settings: LazyOffloadSettings,
        ranks: int,
        **named: Any,
    ) -> None:
        super().__init__(adapter, geometry, *values, **named)
        self.lazy = LazyOffload(
            settings,
            geometry,
            adapter.chunk_size,
            ranks,
            adapter.end_session,
            lambda: adapter.is_healthy,
            self._clock,
        )

    def blocks_allocated(self, request: Any, block_ids: Sequence[Sequence[int]], num_external_tokens: int) -> None:
        """The request has its blocks; those for a load are in no step's output."""
        super().blocks_allocated(request, block_ids, num_external_tokens)
        if num_external_tokens > 0:
            self.lazy.allocated(block_ids)

    def plan(self, output: Any) -> StepPlan:
        """What this step's workers have to load and store. They need not wait before it: what they read is held."""
        plan = super().plan(output)
        plan.must_flush = False
        plan.stores = self.lazy.drain(output, plan.stores)
        return plan

    def finished(self, request: Any) -> tuple[bool, dict[str, Any] | None]:
        """The request is over, and its blocks can go."""
        _, parameters = super().finished(request)
        return False, parameters

    def _begin(self, request: Any, has_stores: bool = False) -> RequestTracker:
        if request.request_id in self.trackers:
            self.lazy.restarted(request.request_id)
        else:
            self.lazy.arrived(request.request_id)
        return super()._begin(request, has_stores)

    def _end_session(self, tracker: RequestTracker) -> None:
        self.adapter.cleanup_lookup_result(tracker.request_id)
        self.lazy.finished(tracker.request_id)
