# lmcache · SPDX-License-Identifier: Apache-2.0
"""Whether one server can be relied on, and what happens when it comes and goes."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

from lmcache.utils import init_logger
from lmcache.wire.client import WireClient

logger = init_logger(__name__)

UNHEALTHY_INTERVAL = 1.0
"""Seconds between pings while the server is away, at most."""


class ServerHealth:
    """Pings a server and knows whether it may be used.

    A failed ping, a `false` and a lost connection all lead to degraded mode: `on_degraded` runs, and the server is not
    used. `recover` runs before it is used again, and must raise when it did not succeed. A `false` is recovered from at
    once: the server is there and has forgotten us. The thread starts at the first use or the first trouble, because an
    engine's start may take longer than any interval.
    """

    def __init__(
        self,
        client: WireClient,
        interval: float,
        instance_id: int | None = None,
        recover: Callable[[], None] | None = None,
        on_degraded: Callable[[], None] | None = None,
    ) -> None:
        self._client = client
        self._interval = interval
        self._instance_id = instance_id
        self._recover = recover
        self._on_degraded = on_degraded
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._is_healthy = True
        self._is_stopped = False
        self._losses = 0
        client.on_connection_lost(self._connection_lost)

    @property
    def is_healthy(self) -> bool:
        """Whether requests may be sent."""
        return self._is_healthy

    def start(self) -> None:
        """Starts pinging; does nothing when it already runs or was stopped."""
        if self._thread is not None:
            return
        with self._lock:
            if self._thread is not None or self._is_stopped:
                return
            self._thread = threading.Thread(target=self._run, name="lmcache-heartbeat", daemon=True)
            self._thread.start()

    def stop(self, timeout: float = 2.0) -> None:
        """Ends pinging. No recovery begins afterwards."""
        with self._lock:
            self._is_stopped = True
            thread = self._thread
        self._wake.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout)

    def distrust(self, reason: str) -> None:
        """Enters degraded mode for a reason found elsewhere; a ping and `recover` lead out of it."""
        self._degrade(reason)
        self._wake.set()
        self.start()

    def cycle(self) -> None:
        """One ping and what follows from it."""
        answer: bool | None = None
        with contextlib.suppress(Exception):
            answer = bool(self._client.call("ping", self._instance_id, timeout=self._interval))
        if self._is_stopped:
            return
        if answer is None:
            was_connected = self._client.is_connected
            self._degrade("does not answer")
            if was_connected:
                # What a slow server still has to answer was given up; it must not be answered into a later wait.
                self._client.reset()
            return
        if answer is False:
            self._degrade("has forgotten this client")
        if not self._is_healthy:
            self._resume()

    def _resume(self) -> None:
        losses = self._losses
        try:
            if self._recover is not None:
                self._recover()
        except Exception as error:
            logger.warning("cache server %s is back, but could not be used: %s", self._client.url, error)
            return
        with self._lock:
            if self._losses != losses or self._is_stopped:
                return
            self._is_healthy = True
        logger.info("cache server %s answers again: resuming normal operation", self._client.url)

    def _degrade(self, reason: str) -> None:
        with self._lock:
            if self._is_stopped:
                return
            was_healthy, self._is_healthy = self._is_healthy, False
        if was_healthy:
            logger.warning(
                "cache server %s %s: entering degraded mode, prompts are computed without it", self._client.url, reason
            )
        if self._on_degraded is not None:
            self._on_degraded()

    def _connection_lost(self) -> None:
        with self._lock:
            self._losses += 1
        self._degrade("closed the connection")
        self._wake.set()
        self.start()

    def _run(self) -> None:
        while not self._is_stopped:
            wait = self._interval if self._is_healthy else min(self._interval, UNHEALTHY_INTERVAL)
            self._wake.wait(wait)
            self._wake.clear()
            if self._is_stopped:
                return
            self.cycle()
