# lmcache · SPDX-License-Identifier: Apache-2.0
"""What the engine's arguments and the environment say."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from lmcache.integration.vllm.settings import normalized_url

DEFAULT_SERVER_URL = "ipc:///tmp/lmcache.sock"
DEFAULT_MQ_TIMEOUT = 300.0


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """`block_size` in tokens; `rank` of `world_size` processes, each with its own part of every block."""

    model_name: str
    block_size: int
    world_size: int
    rank: int
    mq_timeout: float

    @staticmethod
    def of(llm_args: Any) -> EngineSettings:
        """Reads TensorRT-LLM's arguments. Raises `ValueError` with the name, what was given and what is accepted."""
        import tensorrt_llm

        block_size = int(llm_args.kv_cache_config.tokens_per_block)
        if block_size < 1:
            raise ValueError(f"kv_cache_config.tokens_per_block is {block_size}; it must be at least 1")
        world_size = max(1, int(llm_args.tensor_parallel_size)) * max(1, int(llm_args.pipeline_parallel_size))
        return EngineSettings(
            model_name=str(getattr(llm_args, "model", "unknown_model")).replace("@", "_"),
            block_size=block_size,
            world_size=world_size,
            rank=int(tensorrt_llm.mpi_rank()),
            mq_timeout=mq_timeout(),
        )


def server_url(llm_args: Any) -> str:
    """The server's address: of the configuration, else of LMCACHE_SERVER_URL, else `ipc:///tmp/lmcache.sock`."""
    given = getattr(getattr(llm_args, "kv_connector_config", None), "server_url", None)
    return normalized_url(str(given or os.environ.get("LMCACHE_SERVER_URL") or DEFAULT_SERVER_URL))


def mq_timeout() -> float:
    """LMCACHE_MQ_TIMEOUT in seconds."""
    given = os.environ.get("LMCACHE_MQ_TIMEOUT") or DEFAULT_MQ_TIMEOUT
    try:
        seconds = float(given)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise ValueError(f"LMCACHE_MQ_TIMEOUT is {given!r}; it must be a positive number of seconds")
    return seconds
