# lmcache · SPDX-License-Identifier: Apache-2.0
"""Which part of the model's cache a worker holds, and how keys say so."""

from __future__ import annotations

from typing import Any

_VLLM_FIELDS = (
    "use_mla",
    "kv_world_size",
    "kv_worker_id",
    "actual_world_size",
    "actual_worker_id",
    "tp_size",
    "pp_size",
)
_OWN_FIELDS = ("mla_only", "vllm_world_size", "vllm_worker_id", "tp_size", "pp_size", "n_servers", "dcp_size")


class ParallelStrategy:
    """Made from vLLM's seven values, or from LMCache's six or seven.

    Seven values by position are vLLM's (`use_mla, kv_world_size, kv_worker_id, actual_world_size, actual_worker_id,
    tp_size, pp_size`), six are LMCache's (`mla_only, vllm_world_size, vllm_worker_id, tp_size, pp_size, n_servers`).
    By name, either set is accepted; `dcp_size` belongs to the second.
    """

    def __init__(self, *values: Any, **named: Any) -> None:
        fields = _OWN_FIELDS if "vllm_world_size" in named or len(values) == 6 or "n_servers" in named else _VLLM_FIELDS
        given = dict(zip(fields, values, strict=False))
        given.update(named)
        unknown = set(given) - set(fields)
        missing = set(fields) - set(given) - {"dcp_size", "n_servers"}
        if unknown or missing or len(values) > len(fields):
            raise TypeError(f"ParallelStrategy takes {', '.join(fields)}; got {values} and {named}")
        if fields is _OWN_FIELDS:
            self._take_own(given)
        else:
            self._take_vllm(given)

    def _take_vllm(self, given: dict[str, Any]) -> None:
        self.use_mla = self.mla_only = bool(given["use_mla"])
        self.kv_world_size = self.key_world_size = int(given["kv_world_size"])
        self.kv_worker_id = self.key_worker_id = int(given["kv_worker_id"])
        self.actual_world_size = self.vllm_world_size = int(given["actual_world_size"])
        self.actual_worker_id = self.vllm_worker_id = int(given["actual_worker_id"])
        self.tp_size, self.pp_size = max(1, int(given["tp_size"])), max(1, int(given["pp_size"]))
        self.n_servers = self.dcp_size = 1
        self.num_readers = self.tp_size if self.use_mla else 1
        self.is_writer = not self.use_mla or self.actual_worker_id % self.tp_size == 0

    def _take_own(self, given: dict[str, Any]) -> None:
        self.use_mla = self.mla_only = bool(given["mla_only"])
        world, rank = int(given["vllm_world_size"]), int(given["vllm_worker_id"])
        self.tp_size, self.pp_size = max(1, int(given["tp_size"])), max(1, int(given["pp_size"]))
        self.n_servers = max(1, int(given.get("n_servers", 1)))
        self.dcp_size = max(1, int(given.get("dcp_size", 1)))
        self.vllm_world_size = self.actual_world_size = world
        self.vllm_worker_id = self.actual_worker_id = rank
        ranks_per_server = max(1, world // self.n_servers)
        if self.mla_only:
            tp_per_server = max(1, self.tp_size // self.n_servers)
            self.key_world_size = max(1, world // self.tp_size) * self.dcp_size
            self.key_worker_id = rank // self.tp_size * self.dcp_size + rank % self.dcp_size
            self.num_readers = -(-tp_per_server // self.dcp_size)
            self.is_writer = rank % self.tp_size % tp_per_server < self.dcp_size
        else:
            self.key_world_size = ranks_per_server
            self.key_worker_id = rank % ranks_per_server
            self.num_readers = 1
            self.is_writer = True
        self.kv_world_size, self.kv_worker_id = self.key_world_size, self.key_worker_id

    @property
    def is_first_rank_of_pp_group(self) -> bool:
        """Whether this worker is the first of its pipeline stage."""
        return self.actual_worker_id % self.tp_size == 0

    @property
    def is_kv_event_subscriber(self) -> bool:
        """Whether this worker is the one that tells the engine about its server's chunks."""
        return self.vllm_worker_id % max(1, self.vllm_world_size // self.n_servers) == 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ParallelStrategy) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash(tuple(sorted(vars(self).items())))

    def __repr__(self) -> str:
        return f"ParallelStrategy({', '.join(f'{name}={value!r}' for name, value in vars(self).items())})"
