# lmcache · SPDX-License-Identifier: Apache-2.0
"""One cache server as the engine's scheduler or worker uses it, there or away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from lmcache.health.server_health import ServerHealth
from lmcache.utils import init_logger
from lmcache.wire.client import WireClient

logger = init_logger(__name__)

START_SECONDS = 10.0
"""How long a start waits for the server before it goes on without one."""

HEARTBEAT_SECONDS = 10.0


class Link(Protocol):
    """A way to a cache."""

    client: Any

    @property
    def chunk_size(self) -> int:
        """In tokens; 0 before it is known."""

    @property
    def is_usable(self) -> bool:
        """Whether requests may be sent."""

    def distrust(self, reason: str) -> None:
        """Sends nothing more until the cache has shown that it works."""

    def close(self) -> None:
        """Ends it. May be called more than once."""


class ServerLink:
    """A server that may be away: then the engine computes, and the link is taken up when the server answers.

    `prepare` runs whenever the server is there again, on another thread.
    """

    def __init__(
        self,
        url: str,
        block_size: int,
        mq_timeout: float,
        instance_id: int | None = None,
        prepare: Callable[[], None] | None = None,
    ) -> None:
        self.client = WireClient(url, None, mq_timeout)
        self._block_size = block_size
        self._start_timeout = min(mq_timeout, START_SECONDS)
        self._prepare = prepare
        self._chunk_size = 0
        self._health = ServerHealth(
            self.client, min(HEARTBEAT_SECONDS, mq_timeout), instance_id, recover=self._take_up
        )

    @property
    def chunk_size(self) -> int:
        """The server's chunk size."""
        return self._chunk_size

    @property
    def is_usable(self) -> bool:
        """Whether the server has told its chunk size and answers."""
        return self._chunk_size > 0 and self._health.is_healthy

    def open(self, seconds: float = START_SECONDS) -> None:
        """Waits up to `seconds` for the server. Raises `ValueError` when its chunk size does not fit the blocks."""
        if seconds <= 0:
            self._health.distrust("is not there yet")
            return
        self._start_timeout = min(self._start_timeout, seconds)
        try:
            self._take_up()
        except ValueError:
            self.close()
            raise
        except Exception as error:
            logger.warning("cache server %s is not there (%s); the engine starts without it", self.client.url, error)
            self.distrust("was not there at the start")
            return
        self._health.start()

    def distrust(self, reason: str) -> None:
        """Sends nothing more until the server has answered a ping and was prepared again."""
        self._health.distrust(reason)

    def close(self) -> None:
        """Ends pings and the connection."""
        self._health.stop()
        self.client.close()

    def _take_up(self) -> None:
        size = int(self.client.call("get_chunk_size", timeout=self._start_timeout))
        if size < 1 or size % self._block_size:
            raise ValueError(
                f"the server's chunk size {size} is not a multiple of tokens_per_block {self._block_size}; start the"
                " server with another --chunk-size"
            )
        if self._prepare is not None:
            self._prepare()
        self._chunk_size = size
