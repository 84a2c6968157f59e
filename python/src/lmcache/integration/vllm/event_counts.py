# lmcache · SPDX-License-Identifier: Apache-2.0
"""A worker's counters of KV events, as vLLM's Prometheus endpoint shows them. Imports prometheus_client."""

from __future__ import annotations

import functools
from typing import Any

from prometheus_client import Counter, Gauge

_LABELS = ["model_name", "worker_id"]


@functools.cache
def _metrics() -> dict[str, Any]:
    # A name can be registered once in a process, which may hold several workers.
    return {
        "buffered": Gauge(
            "vllm:lmcache_mp_kv_events_buffered",
            "KV events that wait for the engine to take them.",
            _LABELS,
            multiprocess_mode="livesum",
        ),
        "generated": Counter(
            "vllm:lmcache_mp_kv_events_generated_total", "KV events made of the server's records.", _LABELS
        ),
        "drained": Counter("vllm:lmcache_mp_kv_events_drained_total", "KV events that the engine took.", _LABELS),
        "batches": Counter("vllm:lmcache_mp_kv_event_batches_total", "Batches of the server's event stream.", _LABELS),
        "resyncs": Counter(
            "vllm:lmcache_mp_kv_event_resyncs_total",
            "Times that every announced chunk was withdrawn because records were missing.",
            [*_LABELS, "reason"],
        ),
    }


class WorkerEventCounts:
    """The counters of one worker."""

    def __init__(self, model_name: str, worker_id: int) -> None:
        self._labels = (model_name, str(worker_id))
        self._buffered, self._generated, self._drained, self._batches = (
            _metrics()[name].labels(*self._labels) for name in ("buffered", "generated", "drained", "batches")
        )
        self._buffered.set(0)

    def batch(self) -> None:
        """A batch came."""
        self._batches.inc()

    def generated(self, count: int) -> None:
        """Events were made of it."""
        self._generated.inc(count)

    def drained(self, count: int) -> None:
        """The engine took events."""
        self._drained.inc(count)

    def buffered(self, count: int) -> None:
        """So many events wait."""
        self._buffered.set(count)

    def resync(self, reason: str) -> None:
        """Everything announced was withdrawn."""
        _metrics()["resyncs"].labels(*self._labels, reason).inc()
