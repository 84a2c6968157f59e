# lmcache · SPDX-License-Identifier: Apache-2.0
"""How long lookups take, for vLLM's log lines and its Prometheus endpoint. Imports vLLM and prometheus_client."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vllm.distributed.kv_transfer.kv_connector.v1.metrics import KVConnectorPromMetrics, KVConnectorStats

LOOKUP_SECONDS = "lookup_duration_seconds"


@dataclass
class LMCacheMPConnectorStats(KVConnectorStats):
    """The lookups of one interval; `data` crosses process boundaries as it is."""

    def __post_init__(self) -> None:
        self.data.setdefault(LOOKUP_SECONDS, [])

    @property
    def lookup_seconds(self) -> list[float]:
        """One number for each lookup, from its start until the result was taken."""
        seconds: list[float] = self.data[LOOKUP_SECONDS]
        return seconds

    def reset(self) -> None:
        """Forgets everything."""
        self.data = {LOOKUP_SECONDS: []}

    def aggregate(self, other: KVConnectorStats) -> KVConnectorStats:
        """Adds the lookups of another interval or worker."""
        self.lookup_seconds.extend(other.data.get(LOOKUP_SECONDS, ()))
        return self

    def reduce(self) -> dict[str, int | float]:
        """What the log line says."""
        seconds = self.lookup_seconds
        if not seconds:
            return {}
        return {
            "LMCache MP lookup count": len(seconds),
            "LMCache MP lookup avg latency (ms)": round(1000 * sum(seconds) / len(seconds), 3),
        }

    def is_empty(self) -> bool:
        """Whether there was no lookup."""
        return not self.lookup_seconds


class LMCacheMPPromMetrics(KVConnectorPromMetrics):
    """The histogram of lookup times."""

    def __init__(
        self,
        vllm_config: Any,
        metric_types: dict[Any, Any],
        labelnames: list[str],
        per_engine_labelvalues: dict[int, list[object]],
    ) -> None:
        super().__init__(vllm_config, metric_types, labelnames, per_engine_labelvalues)
        histogram = self._histogram_cls(
            name="vllm:lmcache_mp_lookup_duration_seconds",
            documentation="Time from the start of a cache lookup until its result was taken.",
            labelnames=labelnames,
        )
        self._lookups = {
            engine: histogram.labels(*labels) for engine, labels in per_engine_labelvalues.items()
        }

    def observe(self, transfer_stats_data: dict[str, Any], engine_idx: int = 0) -> None:
        """Counts the lookups of an interval."""
        histogram = self._lookups.get(engine_idx)
        if histogram is not None:
            for seconds in transfer_stats_data.get(LOOKUP_SECONDS, ()):
                histogram.observe(seconds)
