# lmcache · SPDX-License-Identifier: Apache-2.0
"""The caches inside this process, one for each rank that lives in it."""

from __future__ import annotations

import os
import threading
from typing import Any

from lmcache.utils import init_logger

logger = init_logger(__name__)

ENGINE_NAME = "trtllm-instance"
_JOB_VARIABLES = ("PMIX_NAMESPACE", "OMPI_MCA_ess_base_jobid", "SLURM_STEP_ID", "PMI_JOBID")

_lock = threading.Lock()
_engines: dict[int, EmbeddedEngine] = {}


class EmbeddedEngine:
    """One rank's cache and its socket, which the scheduler's process asks. Also the worker's link to it."""

    def __init__(self, server: Any, chunk_size: int) -> None:
        self._server = server
        self._chunk_size = chunk_size
        self._is_closed = False
        self.client = server.client()

    @property
    def chunk_size(self) -> int:
        """In tokens."""
        return self._chunk_size

    @property
    def is_usable(self) -> bool:
        """Whether it was not destroyed."""
        return not self._is_closed

    def distrust(self, reason: str) -> None:
        """Nothing: a cache in this process does not come back from anything."""
        logger.warning("the in-process cache %s", reason)

    def close(self) -> None:
        """Nothing: it lives until `destroy_engine`."""

    def destroy(self) -> None:
        """Ends it and gives its memory back."""
        self._is_closed = True
        self._server.close()


def open_engine(rank: int, block_size: int) -> EmbeddedEngine:
    """The cache of a rank of this process, made at the first call.

    Raises `ValueError` for a configuration that cannot be used, `OSError` for a socket path that cannot.
    """
    with _lock:
        if rank not in _engines:
            _engines[rank] = _start(rank, block_size)
        return _engines[rank]


def _start(rank: int, block_size: int) -> EmbeddedEngine:
    from lmcache.inprocess.runtime_directory import claim
    from lmcache.native import EmbeddedServer, configuration_document, resolve_configuration

    text = configuration_document(os.environ.get("LMCACHE_CONFIG_FILE") or None, os.environ, rank=rank)
    chunk_size = int(resolve_configuration(text)["chunk_size"])
    if chunk_size % block_size:
        raise ValueError(f"chunk_size {chunk_size} is not a multiple of tokens_per_block {block_size}")
    path = engine_socket(rank)
    claim(path)
    engine = EmbeddedEngine(EmbeddedServer(text, path), chunk_size)
    logger.info("LMCache TRT-LLM: created engine (chunk_size=%d)", chunk_size)
    return engine


def engine_socket(rank: int) -> str:
    """Where the cache of a rank listens; the same for all processes of one engine."""
    from lmcache.inprocess.runtime_directory import socket_path

    job = next((os.environ[name] for name in _JOB_VARIABLES if os.environ.get(name)), None)
    # Without a launcher there is one rank, whose scheduler is in the same process.
    return socket_path(f"{ENGINE_NAME}:{job or os.getpid()}", rank)


def destroy_engine() -> None:
    """Ends the caches of this process. May be called at any time, also when there are none."""
    with _lock:
        engines = list(_engines.values())
        _engines.clear()
    for engine in engines:
        engine.destroy()
        logger.info("LMCache TRT-LLM: engine destroyed")
