# lmcache · SPDX-License-Identifier: Apache-2.0
"""One rank's connection to the cache server, with its memory registered for as long as it lives."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from typing import Any

from lmcache.health.server_health import ServerHealth
from lmcache.integration.sglang.mp_settings import MPSettings
from lmcache.integration.sglang.outcome import Outcome
from lmcache.integration.vllm.settings import is_usable_salt
from lmcache.transfer.job import TransferContext, TransferJob
from lmcache.utils import init_logger
from lmcache.wire.client import WireClient
from lmcache.wire.types import CacheKey

logger = init_logger(__name__)

START_SECONDS = 60.0
"""How long the engine's start waits for the server, at most."""


class ServerLink:
    """Asks, stores and loads. While the server is away nothing is sent and everything fails at once; a server that was
    started anew gets the memory registered again before it is used.

    `make_context` makes the way for the bytes from a client, this rank's instance id and the chunk size. Raises
    `ConnectionError` when the server does not tell its chunk size, and what the registration raises.
    """

    def __init__(
        self, settings: MPSettings, block_size: int, make_context: Callable[[WireClient, int, int], TransferContext]
    ) -> None:
        self.settings = settings
        self.instance_id = random.SystemRandom().getrandbits(63)
        self.client = WireClient(settings.url, default_timeout=settings.mq_timeout)
        self._is_closed = False
        self._context: TransferContext | None = None
        try:
            self.chunk_size = self._ask_chunk_size(min(START_SECONDS, settings.mq_timeout))
            if self.chunk_size < 1 or self.chunk_size % block_size:
                raise ValueError(
                    f"the server's chunk size {self.chunk_size} is not a multiple of {block_size} tokens a block; start"
                    " the server with another --chunk-size, or SGLang with another --page-size"
                )
            self._context = make_context(self.client, self.instance_id, self.chunk_size)
            self._context.register()
        except BaseException:
            if self._context is not None:
                self._context.close()
            self.client.close()
            raise
        self._health = ServerHealth(
            self.client, settings.heartbeat_interval, self.instance_id, recover=self._register_again
        )

    @property
    def is_healthy(self) -> bool:
        """Whether the server can be relied on. The first question starts the pings."""
        self._health.start()
        return self._health.is_healthy and not self._is_closed

    def create_event(self) -> Any:
        """An event behind the device's present work; none on processors."""
        return None if self._context is None else self._context.create_event()

    def store(self, key: CacheKey, block_ids: list[list[int]], event: Any = None) -> Outcome:
        """Begins a store; failed at once without a usable server."""
        return self._begin("store", TransferJob(key, block_ids, event=event))

    def retrieve(self, key: CacheKey, block_ids: list[list[int]], skip_tokens: int, event: Any = None) -> Outcome:
        """Begins a load of looked-up chunks but for the first `skip_tokens` tokens; failed at once without a server."""
        return self._begin("retrieve", TransferJob(key, block_ids, skip_tokens, event))

    def tell(self, operation: str, *payloads: Any) -> None:
        """Sends what needs no answer."""
        if self.is_healthy:
            with contextlib.suppress(Exception):
                self.client.submit(operation, *payloads, timeout=self.settings.transfer_timeout)

    def clear(self) -> bool:
        """Empties the server of what nobody uses; returns whether it did."""
        try:
            self.client.call("clear", False, timeout=self.settings.transfer_timeout)
        except Exception as error:
            logger.warning("the cache was not cleared: %s", error)
            return False
        return True

    def close(self) -> None:
        """Unregisters and closes. May be called more than once."""
        if self._is_closed:
            return
        was_healthy = self._health.is_healthy
        self._is_closed = True
        self._health.stop()
        if self._context is not None:
            if was_healthy:
                self._context.unregister()
            self._context.close()
        self.client.close()

    def _ask_chunk_size(self, seconds: float) -> int:
        try:
            return int(self.client.call("get_chunk_size", timeout=seconds))
        except Exception as error:
            raise ConnectionError(
                f"cache server {self.settings.url} did not tell its chunk size ({error}); is it running, and is its"
                " address in mp_host and mp_port?"
            ) from error

    def _register_again(self) -> None:
        if self._is_closed or self._context is None:
            return
        size = self._ask_chunk_size(self.settings.transfer_timeout)
        if size != self.chunk_size:
            raise ValueError(f"its chunk size is {size} by now, SGLang was started with {self.chunk_size}")
        self._context.register()

    def _begin(self, operation: str, job: TransferJob) -> Outcome:
        if self._context is None or not self.is_healthy or not is_usable_salt(job.key.cache_salt):
            return Outcome.settled(False)
        try:
            future = getattr(self._context, operation)(job)
        except Exception as error:
            logger.warning("%s of request %s could not begin: %s", operation, job.key.request_id, error)
            return Outcome.settled(False)
        # The worker's own way takes two requests, one after the other.
        return Outcome(future, job, 2 * self.settings.transfer_timeout)
