# lmcache · SPDX-License-Identifier: Apache-2.0
"""The scheduler's half of the connector: what to load, what to store, when to give leases back."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from lmcache.integration.vllm.due_requests import DueRequests
from lmcache.integration.vllm.geometry import NULL_BLOCK, Geometry, check_chunk
from lmcache.integration.vllm.load_mode import LoadMode
from lmcache.integration.vllm.load_store_op import LoadStoreOp
from lmcache.integration.vllm.request_tracker import RequestState, RequestTracker
from lmcache.integration.vllm.scheduler_adapter import LMCacheMPSchedulerAdapter
from lmcache.integration.vllm.step_plan import StepPlan
from lmcache.integration.vllm.transfer_entry import TransferEntry


LOOKUP_SECONDS = 0.003
"""How long a request that is alone waits for its lookup within a step."""


class SchedulerSide:
    """Trackers of all requests. No engine types: requests and outputs are read by attribute. Used by one thread."""

    def __init__(
        self,
        adapter: LMCacheMPSchedulerAdapter,
        geometry: Geometry,
        is_storing: bool,
        save_decode_cache: bool,
        load_mode: LoadMode | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        check_chunk(geometry, adapter.chunk_size)
        self.adapter = adapter
        self.trackers: dict[str, RequestTracker] = {}
        self._geometry = geometry
        self._is_storing = is_storing
        self._save_decode_cache = save_decode_cache
        self._chunk_size = adapter.chunk_size
        self._loading: list[RequestTracker] = []
        self._span = geometry.common_span
        # The state behind the last token is of no use: that token is computed once more.
        self._lookup_options = {"reserve_last_token": True} if geometry.has_recurrent else {}
        # Blocks that leave a window go to other requests while the store of their chunk may still read them.
        self._has_windows = geometry.has_windows
        self._load_mode = load_mode or LoadMode()
        self._can_load_inline = self._load_mode.is_possible
        self._stored_before = False
        # Only these gain something to store; the others are not looked at any more.
        self._storing: dict[str, RequestTracker] = {}
        self._due = DueRequests()
        self._clock = clock
        self._lookup_seconds: list[float] = []

    def look_ahead(self, request: Any) -> None:
        """A request has arrived: begins its lookup."""
        if request.request_id not in self.trackers:
            self._begin(request)

    def matched_tokens(self, request: Any, num_computed_tokens: int) -> tuple[int | None, bool]:
        """Tokens beyond the engine's own that a load would bring, none while it is not known."""
        tracker = self.trackers.get(request.request_id)
        if tracker is None or tracker.state is not RequestState.PREFETCHING:
            tracker = self._tracker_for(request)
            if tracker.state is not RequestState.PREFETCHING:
                return 0, False
        hit = self.adapter.check_lookup_result(tracker.request_id)
        if hit is None and self._can_load_inline and not tracker.was_awaited and self._is_inline(tracker):
            hit = self._await_lookup(tracker)
        if hit is None:
            return None, True
        if tracker.lookup_started_at is not None:
            self._lookup_seconds.append(self._clock() - tracker.lookup_started_at)
            tracker.lookup_started_at = None
        tracker.local_hit = num_computed_tokens - num_computed_tokens % self._span
        tracker.cache_hit = tracker.stored = hit
        # The engine needs at least one token to compute.
        usable = hit - 1 if hit >= request.num_tokens else hit
        extra = max(0, usable - num_computed_tokens)
        tracker.is_inline = extra > 0 and self._can_load_inline and self._is_inline(tracker)
        return extra, extra > 0 and not tracker.is_inline

    def blocks_allocated(self, request: Any, block_ids: Sequence[Sequence[int]], num_external_tokens: int) -> None:
        """The request has its blocks, all of them since its start. May be called again after a load."""
        tracker = self.trackers.get(request.request_id)
        if tracker is None:
            return
        tracker.block_ids = self._geometry.chosen(block_ids)
        if tracker.state is RequestState.BYPASS:
            tracker.state = RequestState.READY
        if tracker.state is not RequestState.PREFETCHING:
            return
        if num_external_tokens > 0:
            tracker.state = RequestState.WAITING_FOR_LOAD
            self._loading.append(tracker)
            self._settle(tracker, [(0, tracker.local_hit), (tracker.cache_hit, tracker.tokens.count)])
        else:
            tracker.state = RequestState.READY
            self._settle(tracker, [(0, tracker.tokens.count)])

    def plan(self, output: Any) -> StepPlan:
        """What this step's workers have to load and store."""
        running = output.scheduled_cached_reqs
        plan = StepPlan(
            must_flush=bool(getattr(output, "preempted_req_ids", None))
            or bool(running.resumed_req_ids)
            or (self._has_windows and self._stored_before)
        )
        if self._loading:
            plan.loads = [self._load(tracker) for tracker in self._loading]
            plan.begins_early = not getattr(output, "new_block_ids_to_zero", None)
            self._loading.clear()
        if self._is_storing:
            if self._storing and output.num_scheduled_tokens:
                self._due.advance(max(output.num_scheduled_tokens.values()))
                self._plan_running(output, plan)
            if running.resumed_req_ids:
                self._plan_resumed(output, plan)
            if output.scheduled_new_reqs:
                self._plan_new(output, plan)
        self._stored_before = bool(plan.stores)
        return plan

    def finished(self, request: Any) -> tuple[bool, dict[str, Any] | None]:
        """The request is over: whether its blocks must stay until its stores ended, and what to tell the client."""
        tracker = self.trackers.pop(request.request_id, None)
        self._unwatch(request.request_id)
        if tracker is None:
            return False, None
        self._loading = [waiting for waiting in self._loading if waiting is not tracker]
        if tracker.state in (RequestState.PREFETCHING, RequestState.WAITING_FOR_LOAD):
            self._settle(tracker, [(0, tracker.tokens.count)])
        self._end_session(tracker)
        return tracker.has_stores, self._statistics(request, tracker)

    def spoiled_blocks(self, failed: set[int]) -> set[int]:
        """Blocks of failed loads, and those that were computed behind them."""
        spoiled = set(failed)
        for tracker in self.trackers.values():
            for blocks in tracker.block_ids:
                first = next((index for index, block in enumerate(blocks) if block in failed), None)
                if first is not None:
                    spoiled.update(blocks[first:])
        spoiled.discard(NULL_BLOCK)
        return spoiled

    def take_lookup_seconds(self) -> list[float]:
        """How long each lookup took whose result was taken since the last call."""
        if not self._lookup_seconds:
            return []
        taken, self._lookup_seconds = self._lookup_seconds, []
        return taken

    def _is_inline(self, tracker: RequestTracker) -> bool:
        return self._load_mode.is_inline(tracker.configs, len(self.trackers) == 1)

    def _await_lookup(self, tracker: RequestTracker) -> int | None:
        """Waits a little, once, while nobody else is there: the engine would do an empty step and sleep."""
        tracker.was_awaited = True
        hit = None
        if len(self.trackers) == 1:
            deadline = self._clock() + LOOKUP_SECONDS
            while hit is None and self._clock() < deadline:
                time.sleep(LOOKUP_SECONDS / 30)
                hit = self.adapter.check_lookup_result(tracker.request_id)
        return hit

    def _tracker_for(self, request: Any) -> RequestTracker:
        tracker = self.trackers.get(request.request_id)
        if tracker is None:
            return self._begin(request)
        if tracker.state is RequestState.READY:
            if int(getattr(request, "num_preemptions", 0)) > tracker.preemptions:
                self.adapter.cleanup_lookup_result(tracker.request_id)
                return self._begin(request, has_stores=tracker.has_stores)
            if tracker.was_loaded:
                tracker.forget_load()
        return tracker

    def _begin(self, request: Any, has_stores: bool = False) -> RequestTracker:
        tracker = RequestTracker.of(request)
        tracker.has_stores = has_stores
        tracker.lookup_started_at = self._clock()
        self.trackers[tracker.request_id] = tracker
        self._unwatch(tracker.request_id)
        self.adapter.maybe_submit_lookup_request(
            tracker.request_id,
            tracker.tokens,
            cache_salt=tracker.salt,
            request_configs=tracker.configs,
            **self._lookup_options,
        )
        return tracker

    def _end_session(self, tracker: RequestTracker) -> None:
        self.adapter.end_session(tracker.request_id)

    def _settle(self, tracker: RequestTracker, ranges: list[tuple[int, int]]) -> None:
        """Gives back the leases on ranges of tokens that will not be loaded, once."""
        if tracker.are_leases_settled:
            return
        tracker.are_leases_settled = True
        is_pending = self.adapter.check_lookup_result(tracker.request_id) is None
        held = tracker.tokens.count if is_pending else self.adapter.surplus_of(tracker.request_id)
        for start, end in ranges:
            if start < min(end, held):
                self.adapter.free_lookup_locks(
                    tracker.tokens, start, min(end, held), tracker.request_id, tracker.salt, tracker.configs
                )

    def _load(self, tracker: RequestTracker) -> TransferEntry:
        start = tracker.local_hit - tracker.local_hit % self._chunk_size
        end = tracker.cache_hit
        tracker.state = RequestState.READY
        tracker.was_loaded = True
        tracker.has_stores = False
        op = LoadStoreOp(
            tracker.tokens,
            self._geometry.sliced(tracker.block_ids, start, end),
            start,
            end,
            skip_first_n_tokens=tracker.local_hit - start,
        )
        return TransferEntry(tracker.request_id, op, tracker.salt, tracker.configs, tracker.is_inline)

    def _plan_new(self, output: Any, plan: StepPlan) -> None:
        for new in output.scheduled_new_reqs:
            tracker = self.trackers.get(new.req_id)
            if tracker is not None:
                self._admit(tracker, new.block_ids, new.num_computed_tokens, output, plan)

    def _plan_resumed(self, output: Any, plan: StepPlan) -> None:
        running = output.scheduled_cached_reqs
        for index, request_id in enumerate(running.req_ids):
            tracker = self.trackers.get(request_id) if request_id in running.resumed_req_ids else None
            if tracker is not None:
                computed = running.num_computed_tokens[index]
                self._admit(tracker, running.new_block_ids[index], computed, output, plan)

    def _plan_running(self, output: Any, plan: StepPlan) -> None:
        """What the step makes whole of requests that went on, of which only those are looked at that are due."""
        running = output.scheduled_cached_reqs
        blocks = running.new_block_ids
        if blocks.count(None) < len(blocks):
            self._take_blocks(running)
        due = self._due.take()
        if not due:
            return
        position = {request_id: index for index, request_id in enumerate(running.req_ids)}
        for request_id in sorted(due, key=lambda name: position.get(name, -1)):
            tracker, index = self._storing.get(request_id), position.get(request_id)
            if tracker is None or request_id in running.resumed_req_ids:
                continue
            if index is None:
                # It is not part of this step, and gains nothing by it.
                self._due.wait(request_id, 0)
            else:
                self._advance(tracker, running.num_computed_tokens[index], output, plan)

    def _take_blocks(self, running: Any) -> None:
        """Blocks that requests were given behind those they had."""
        for request_id, blocks in zip(running.req_ids, running.new_block_ids, strict=True):
            tracker = None if blocks is None else self._storing.get(request_id)
            if tracker is not None and request_id not in running.resumed_req_ids:
                for known, more in zip(tracker.block_ids, self._geometry.chosen(blocks), strict=True):
                    known += more

    def _admit(self, tracker: RequestTracker, block_ids: Any, computed: int, output: Any, plan: StepPlan) -> None:
        """The request begins to run, or to run again, with these blocks."""
        if block_ids is not None:
            tracker.block_ids = self._geometry.chosen(block_ids)
        self._storing[tracker.request_id] = tracker
        self._advance(tracker, computed, output, plan)

    def _watch(self, tracker: RequestTracker) -> None:
        """Looks at the request in the next step, because what is stored of it is less than was thought."""
        self._storing[tracker.request_id] = tracker
        self._due.wait(tracker.request_id, 0)

    def _unwatch(self, request_id: str) -> None:
        if self._storing.pop(request_id, None) is not None:
            self._due.forget(request_id)

    def _advance(self, tracker: RequestTracker, computed: int, output: Any, plan: StepPlan) -> None:
        """The request is computed further in this step: stores what that makes whole."""
        reached = computed + output.num_scheduled_tokens[tracker.request_id]
        if reached >= tracker.stored + self._chunk_size:
            limit = tracker.store_limit(self._save_decode_cache)
            known = min(limit, reached, self._geometry.covered(tracker.block_ids))
            start, end = tracker.stored, known - known % self._chunk_size
            if end > start:
                tracker.stored = end
                self._store(tracker, start, end, computed, output, plan)
        most = tracker.most_storable(self._save_decode_cache)
        if most is not None and tracker.stored + self._chunk_size > most:
            # No further step can make a chunk whole that may be stored.
            self._unwatch(tracker.request_id)
        else:
            self._due.wait(tracker.request_id, max(1, tracker.stored + self._chunk_size - reached))

    def _store(
        self, tracker: RequestTracker, start: int, end: int, computed: int, output: Any, plan: StepPlan
    ) -> None:
        if not self._has_windows:
            runs = [(start, end, self._geometry.sliced(tracker.block_ids, start, end))]
        else:
            runs = self._geometry.storable(
                self._current_blocks(tracker, computed, output),
                start,
                end,
                self._chunk_size,
                self.adapter.keeps_groups_apart,
            )
        tokens = tracker.tokens_until(end)
        for first, last, blocks in runs:
            tracker.has_stores = True
            op = LoadStoreOp(tokens, blocks, first, last)
            plan.stores.append(TransferEntry(tracker.request_id, op, tracker.salt, tracker.configs))

    def _current_blocks(self, tracker: RequestTracker, computed: int, output: Any) -> list[list[int]]:
        """The blocks that the request has in this step, without those that left a window."""
        state = getattr(output, "kv_connector_block_state", None)
        blocks = None if state is None else state.get_block_ids(tracker.request_id)
        if blocks is not None:
            return self._geometry.chosen(blocks)
        return self._geometry.without_lost_blocks(tracker.block_ids, computed)

    @staticmethod
    def _statistics(request: Any, tracker: RequestTracker) -> dict[str, Any] | None:
        parameters = getattr(request, "kv_transfer_params", None)
        if not isinstance(parameters, dict) or "cached_token_stats" not in parameters:
            return None
        return {
            "cached_token_stats": {
                "num_vllm_cached_tokens": tracker.local_hit,
                "num_lmcache_cached_tokens": tracker.cache_hit,
                "num_lmcache_extra_cached_tokens": max(0, tracker.cache_hit - tracker.local_hit),
            }
        }
