# lmcache · SPDX-License-Identifier: Apache-2.0
"""Whether one server can be relied on, and what happens when it comes and goes."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

from lmcache.utils import init_logger
from lmcache.v1.multiprocess.futures import MessagingFuture
from lmcache.wire.client import WireClient
from lmcache.wire.errors import ConnectionLostError

logger = init_logger(__name__)

UNHEALTHY_INTERVAL = 1.0
"""Seconds between pings while the server is away, at most."""


REAP_FLOOR = 30.0
"""Seconds without a sign of life after which a server may forget a worker, at least."""


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
        *,
        wait: Callable[[float], object] | None = None,
    ) -> None:
        self._client = client
        self._interval = interval
        self._instance_id = instance_id
        self._recover = recover
        self._on_degraded = on_degraded
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._wait = self._wake.wait if wait is None else wait
        self._thread: threading.Thread | None = None
        self.is_healthy = True
        """Whether requests may be sent."""
        self._is_stopped = False
        self._losses = 0
        self._ping: MessagingFuture[bool] | None = None
        if instance_id is not None and 3 * interval > REAP_FLOOR:
            logger.warning(
                "lmcache.mp.heartbeat_interval is %s s; the server may forget this worker between pings unless its"
                " --worker-reap-timeout-seconds is at least three times as long",
                interval,
            )
        client.on_connection_lost(self._connection_lost)

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
            thread, ping = self._thread, self._ping
        self._wake.set()
        if ping is not None:
            # Nobody waits for its answer any more.
            ping.set_exception(ConnectionLostError("pinging has ended"))
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
            answer = self._answer()
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
        if not self.is_healthy:
            self._resume()

    def _answer(self) -> bool:
        ping = self._client.submit("ping", self._instance_id, timeout=self._interval)
        with self._lock:
            self._ping = ping
            is_stopped = self._is_stopped
        return not is_stopped and bool(ping.result())

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
            self.is_healthy = True
        logger.info("cache server %s answers again: resuming normal operation", self._client.url)

    def _degrade(self, reason: str) -> None:
        with self._lock:
            if self._is_stopped:
                return
            was_healthy, self.is_healthy = self.is_healthy, False
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
            self._wait(self._interval if self.is_healthy else min(self._interval, UNHEALTHY_INTERVAL))
            self._wake.clear()
            if self._is_stopped:
                return
            self.cycle()
