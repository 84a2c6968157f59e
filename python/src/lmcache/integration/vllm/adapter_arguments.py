# lmcache · SPDX-License-Identifier: Apache-2.0
"""All the ways in which engines have built the adapters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lmcache.integration.vllm.parallel_strategy import ParallelStrategy
from lmcache.integration.vllm.settings import normalized_url

DEFAULT_MQ_TIMEOUT = 300.0
DEFAULT_HEARTBEAT_INTERVAL = 10.0


class AdapterArguments:
    """What an adapter was asked to be.

    Accepted, by position or name: `(server, context, model, world_size, rank, block_size)`, as vLLM up to 0.19 calls
    it; `(server, context, model, block_size, strategy)`, as later ones do; and the same with a list of servers.
    """

    def __init__(self, *values: Any, **named: Any) -> None:
        names = ["server_url", "context", "model_name"]
        rest = list(values[3:])
        for name, value in zip(names, values, strict=False):
            named.setdefault(name, value)
        self.urls = _urls(named.get("server_urls", named.get("server_url")))
        self.context = named.get("context", named.get("zmq_context"))
        self.model_name = str(named.get("model_name", ""))
        self.mq_timeout = float(named.get("mq_timeout", DEFAULT_MQ_TIMEOUT))
        self.heartbeat_interval = float(named.get("heartbeat_interval", DEFAULT_HEARTBEAT_INTERVAL))
        self.enable_kv_events = bool(named.get("enable_kv_events", False))
        self.extra_config = dict(named.get("extra_config") or {})
        self.block_size, self.strategy = self._shape(rest, named)
        if self.block_size < 1:
            raise ValueError(f"vllm_block_size is {self.block_size}; it must be at least 1")

    @staticmethod
    def _shape(rest: list[Any], named: dict[str, Any]) -> tuple[int, ParallelStrategy]:
        strategy = named.get("parallel_strategy")
        if len(rest) >= 2 and isinstance(rest[1], ParallelStrategy):
            return int(rest[0]), rest[1]
        if isinstance(strategy, ParallelStrategy):
            return int(named["vllm_block_size"] if "vllm_block_size" in named else rest[0]), strategy
        # In the form with three numbers, the names of LMCache 0.5.6's signature are off by one.
        if "legacy_block_size" in named:
            rest = [named.get("vllm_block_size", *rest[:1]), named.get("parallel_strategy", *rest[1:2])]
            rest.append(named["legacy_block_size"])
        for position, name in enumerate(("world_size", "kv_rank", "vllm_block_size")):
            if len(rest) == position:
                alternative = "worker_id" if name == "kv_rank" else "block_size"
                if name not in named and alternative not in named:
                    raise TypeError(f"the adapter needs {name}, or a parallel_strategy")
                rest.append(named.get(name, named.get(alternative)))
        world, rank, block_size = map(int, rest[:3])
        tp_size = int(named.get("tp_size") or world)
        return block_size, ParallelStrategy(False, world, rank, world, rank, tp_size, 1)


def _urls(given: str | Sequence[str] | None) -> list[str]:
    if given is None:
        raise TypeError("the adapter needs server_url or server_urls")
    parts = given.split(",") if isinstance(given, str) else list(given)
    urls = [normalized_url(part.strip()) for part in parts if part.strip()]
    if not urls:
        raise ValueError("server_urls names no server")
    return urls
