# lmcache · SPDX-License-Identifier: Apache-2.0
"""The scheduler's half of the in-process connector: the same plans, but a load ends within the step that begins it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from lmcache.integration.vllm.geometry import Geometry
from lmcache.integration.vllm.in_process_settings import InProcessSettings
from lmcache.integration.vllm.older_outputs import normalized
from lmcache.integration.vllm.request_tracker import RequestState, RequestTracker
from lmcache.integration.vllm.scheduler_adapter import LMCacheMPSchedulerAdapter
from lmcache.integration.vllm.scheduler_side import SchedulerSide
from lmcache.integration.vllm.transfer_entry import TransferEntry
from lmcache.utils import init_logger

logger = init_logger(__name__)

FIRST_WAIT_SECONDS = 0.002
"""How long a request's first question waits for the answer, which is usually there sooner than the engine's next step."""

_PAUSE_SECONDS = 0.0001
_COMPLETE = ("FINISHED_STOPPED", "FINISHED_LENGTH_CAPPED")


@dataclass(slots=True)
class InProcessPlan:
    """What the workers do in one step. `step` counts steps in which something runs.

    `total_tokens` are lengths of prompts that are loaded, for the log. `recovered` are requests that are computed again
    after a failed load. `kept` are requests that are over and whose blocks stay until this step's stores have ended.
    """

    step: int = 0
    loads: list[TransferEntry] = field(default_factory=list)
    stores: list[TransferEntry] = field(default_factory=list)
    total_tokens: dict[str, int] = field(default_factory=dict)
    recovered: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Held:
    entry: TransferEntry
    tracker: RequestTracker
    release_at: int


class InProcessScheduler(SchedulerSide):
    """Plans synchronous loads. Used by one thread.

    A load may fail while the step computes with what it should have brought, and the engine begins up to
    `steps_in_flight` more steps before the scheduler hears of it. What they compute must not be stored: one worker sees
    to it by itself; of several, only one knows, so here stores wait until the steps are over.
    """

    def __init__(
        self,
        adapter: LMCacheMPSchedulerAdapter,
        geometry: Geometry,
        settings: InProcessSettings,
        workers: int = 1,
        steps_in_flight: int = 2,
    ) -> None:
        super().__init__(adapter, geometry, settings.is_storing, settings.save_decode_cache)
        self._settings = settings
        self._is_holding = workers > 1
        self._steps_in_flight = steps_in_flight
        self._step = 0
        self._last_load = -steps_in_flight
        self._reached: dict[str, int] = {}
        self._held: list[_Held] = []
        self._kept: dict[str, list[TransferEntry]] = {}
        self._asked: set[str] = set()

    # Lookups

    def matched(self, request: Any, num_computed_tokens: int, deadline: float | None = None) -> int | None:
        """Tokens that a load would bring, none while it is not known yet.

        With a `deadline` of the monotonic clock it waits, and answers 0 after that.
        """
        if not self._settings.is_looking_up:
            if request.request_id not in self.trackers:
                self._begin_without_lookup(request)
            return 0
        extra, _ = super().matched_tokens(request, num_computed_tokens)
        if extra is None and (deadline is not None or request.request_id not in self._asked):
            until = time.monotonic() + FIRST_WAIT_SECONDS if deadline is None else deadline
            while extra is None and time.monotonic() < until:
                time.sleep(_PAUSE_SECONDS)
                extra, _ = super().matched_tokens(request, num_computed_tokens)
        if extra is None:
            self._asked.add(request.request_id)
            return None if deadline is None else self._give_up(request)
        self._asked.discard(request.request_id)
        return self._trimmed(num_computed_tokens, extra)

    def _begin_without_lookup(self, request: Any) -> None:
        tracker = RequestTracker.of(request)
        tracker.most_stored = self._settings.most_stored(request, tracker.configs)
        tracker.are_leases_settled = True
        self.trackers[tracker.request_id] = tracker

    def _give_up(self, request: Any) -> int:
        tracker = self.trackers[request.request_id]
        tracker.state = RequestState.READY
        self.adapter.end_session(tracker.request_id)
        return 0

    def _trimmed(self, num_computed_tokens: int, extra: int) -> int:
        most = self._settings.max_tokens_per_load
        if most and extra > most:
            end = (num_computed_tokens + most) // self._chunk_size * self._chunk_size
            extra = max(0, end - num_computed_tokens)
        if extra < self._settings.min_retrieve_tokens:
            extra = 0
        return extra

    def allocated(self, request: Any, num_external_tokens: int) -> None:
        """The request has its blocks, which the step's output will name."""
        tracker = self.trackers.get(request.request_id)
        if tracker is None:
            return
        if tracker.state is RequestState.BYPASS:
            tracker.state = RequestState.READY
        if tracker.state is not RequestState.PREFETCHING:
            return
        logger.info(
            "Reqid: %s, Total tokens %d, Inference Engine computed tokens: %d, LMCache hit tokens: %d,"
            " need to load: %d",
            tracker.request_id,
            request.num_tokens,
            tracker.local_hit,
            tracker.stored,
            num_external_tokens,
        )
        if num_external_tokens <= 0:
            tracker.state = RequestState.READY
            self._settle(tracker, [(0, tracker.tokens.count)])
            return
        tracker.state = RequestState.WAITING_FOR_LOAD
        # What is loaded may be less than what was found; chunks are loaded whole.
        end = -(-(tracker.local_hit + num_external_tokens) // self._chunk_size) * self._chunk_size
        tracker.cache_hit = min(tracker.cache_hit, end)
        self._loading.append(tracker)
        self._settle(tracker, [(0, tracker.local_hit), (tracker.cache_hit, tracker.tokens.count)])

    # Steps

    def step(self, output: Any) -> InProcessPlan:
        """What this step's workers have to load and store."""
        output = normalized(output)
        if output.num_scheduled_tokens:
            self._step += 1
        for request_id in getattr(output, "finished_req_ids", ()):
            # Old engines do not tell of an end in any other way.
            if (tracker := self.trackers.get(request_id)) is not None:
                self.over(tracker.request)
        recovered = self._roll_back(output)
        self._give_blocks(output)
        plan = super().plan(output)
        result = InProcessPlan(self._step, plan.loads, plan.stores, recovered=recovered)
        for entry in plan.loads:
            self._last_load = self._step
            self._reached[entry.request_id] = entry.op.end
            result.total_tokens[entry.request_id] = len(entry.op.token_ids)
        if self._is_holding:
            self._hold(result)
        return result

    def over(self, request: Any) -> tuple[bool, dict[str, Any] | None]:
        """The request is over: whether its blocks must stay for one more step, and what to tell the client."""
        end = getattr(getattr(request, "status", None), "name", "")
        request_id = request.request_id
        self._reached.pop(request_id, None)
        self._asked.discard(request_id)
        _, statistics = super().finished(request)
        own = [held.entry for held in self._held if held.entry.request_id == request_id]
        self._held = [held for held in self._held if held.entry.request_id != request_id]
        if end == "FINISHED_ERROR":
            self._held.clear()
        if not own or end not in _COMPLETE:
            return False, statistics
        # The engine has seen the results of the request's steps, and no load of theirs failed.
        self._kept[request_id] = own
        return True, statistics

    def _give_blocks(self, output: Any) -> None:
        """Blocks of the requests that load in this step."""
        if not self._loading:
            return
        found = {new.req_id: new.block_ids for new in output.scheduled_new_reqs}
        running = output.scheduled_cached_reqs
        found.update(
            (request_id, running.new_block_ids[index])
            for index, request_id in enumerate(running.req_ids)
            if request_id in running.resumed_req_ids
        )
        missing = []
        for tracker in self._loading:
            blocks = found.get(tracker.request_id)
            if blocks is None:
                missing.append(tracker)
            else:
                tracker.block_ids = self._geometry.chosen(blocks)
        self._loading = [tracker for tracker in self._loading if tracker not in missing]
        for tracker in missing:
            logger.warning("request %s was to be loaded, but does not run", tracker.request_id)

    def _roll_back(self, output: Any) -> list[str]:
        """Requests whose load failed: they are computed again from an earlier token on, and stored again."""
        recovered: list[str] = []
        if not self._reached:
            return recovered
        running = output.scheduled_cached_reqs
        for index, request_id in enumerate(running.req_ids):
            reached = self._reached.get(request_id)
            if reached is None:
                continue
            computed = running.num_computed_tokens[index]
            tracker = self.trackers.get(request_id)
            if tracker is not None and computed < reached - 1:
                logger.warning("request %s is computed again from token %d on", request_id, computed)
                tracker.stored = min(tracker.stored, computed - computed % self._chunk_size)
                self._watch(tracker)
                self._held.clear()
                recovered.append(request_id)
                del self._reached[request_id]
            elif self._step > self._last_load + self._steps_in_flight:
                del self._reached[request_id]
        return recovered

    def _begin(self, request: Any, has_stores: bool = False) -> RequestTracker:
        self._reached.pop(request.request_id, None)
        tracker = super()._begin(request, has_stores)
        tracker.most_stored = self._settings.most_stored(request, tracker.configs)
        return tracker

    def _hold(self, plan: InProcessPlan) -> None:
        """Puts stores off while a load may yet turn out to have failed, and takes up those that are safe by now."""
        for request_id, entries in self._kept.items():
            plan.stores += entries
            plan.kept.append(request_id)
        self._kept.clear()
        if self._step <= self._last_load + self._steps_in_flight:
            fresh = [entry for entry in plan.stores if entry.request_id not in plan.kept]
            plan.stores = [entry for entry in plan.stores if entry.request_id in plan.kept]
            release_at = self._step + self._steps_in_flight + 1
            self._held += [_Held(entry, self.trackers[entry.request_id], release_at) for entry in fresh]
        waiting = []
        for held in self._held:
            if self.trackers.get(held.entry.request_id) is not held.tracker or self._was_preempted(held.tracker):
                continue
            if held.release_at <= self._step:
                plan.stores.append(held.entry)
            else:
                waiting.append(held)
        self._held = waiting

    @staticmethod
    def _was_preempted(tracker: RequestTracker) -> bool:
        return int(getattr(tracker.request, "num_preemptions", 0)) > tracker.preemptions
