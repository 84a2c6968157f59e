# lmcache · SPDX-License-Identifier: Apache-2.0
"""Follows a server's log of chunks over however many connections that takes."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Protocol

from lmcache.events.placements import STREAM_CLOSED, ChunkEvent, Placements
from lmcache.utils import init_logger
from lmcache.v1.multiprocess.streams import MessagingStream
from lmcache.wire.client import WireClient
from lmcache.wire.types import KVEventBatch

logger = init_logger(__name__)

BATCH_SIZE = 1024
"""Records in a batch, at most."""

MOST_BUFFERED = 8192
"""Events kept for an engine that takes none; the server keeps the rest, and says when it could not."""

FIRST_BATCH_SECONDS = 30.0
SHORTEST_PAUSE = 0.5
LONGEST_PAUSE = 10.0


class EventCounts(Protocol):
    """Told about what happens, from the subscriber's thread and from the one that takes."""

    def batch(self) -> None:
        """A batch came."""

    def generated(self, count: int) -> None:
        """Events were made of it."""

    def drained(self, count: int) -> None:
        """The engine took events."""

    def buffered(self, count: int) -> None:
        """So many events wait."""

    def resync(self, reason: str) -> None:
        """Everything announced was withdrawn."""


class KVEventSubscriber:
    """Buffers events until they are taken. Has a thread of its own from `start` to `stop`."""

    def __init__(self, client: WireClient, instance_id: int, model_name: str, counts: EventCounts) -> None:
        self._client = client
        self._instance_id = instance_id
        self._model_name = model_name
        self._counts = counts
        self._placements = Placements(counts.resync)
        self._lock = threading.Lock()
        self._room = threading.Condition(self._lock)
        self._events: list[ChunkEvent] = []
        self._stop = threading.Event()
        self._stream: MessagingStream[KVEventBatch] | None = None
        self._thread: threading.Thread | None = None
        self._pause = SHORTEST_PAUSE

    def start(self) -> None:
        """Begins to follow; does nothing when it already does or was stopped."""
        if self._thread is None and not self._stop.is_set():
            self._thread = threading.Thread(target=self._run, name="lmcache-kv-events", daemon=True)
            self._thread.start()

    def take(self) -> list[ChunkEvent]:
        """What happened since the last call, in order."""
        if not self._events:
            return []
        with self._lock:
            events, self._events = self._events, []
            self._room.notify_all()
        self._counts.drained(len(events))
        self._counts.buffered(0)
        return events

    def stop(self, timeout: float = 2.0) -> None:
        """Ends it. May be called more than once."""
        self._stop.set()
        with self._lock:
            stream = self._stream
            self._room.notify_all()
        if stream is not None:
            stream.close()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout)

    def _run(self) -> None:
        while not (self._stop.is_set() or self._client.is_closed):
            try:
                if not self._follow():
                    return
            except Exception as error:
                if self._stop.is_set():
                    return
                logger.warning("the stream of KV events from %s ended: %s", self._client.url, error)
            self._add(self._placements.withdraw(STREAM_CLOSED))
            # Without a connection the next subscription waits for one, and is the first to travel on it: a server
            # records nothing before somebody listens.
            if self._client.is_connected:
                self._stop.wait(self._pause)
                self._pause = min(2 * self._pause, LONGEST_PAUSE)

    def _follow(self) -> bool:
        """Follows one stream to its end; returns whether another one makes sense."""
        stream = self._client.subscribe(
            "subscribe_kv_events",
            self._instance_id,
            self._model_name,
            self._placements.cursor,
            BATCH_SIZE,
            timeout=FIRST_BATCH_SECONDS,
        )
        with self._lock:
            self._stream = stream
        try:
            if self._stop.is_set():
                return False
            for batch in stream:
                self._counts.batch()
                self._pause = SHORTEST_PAUSE
                if not batch.enabled:
                    logger.warning("server %s records no KV events; see --kv-event-log-size", self._client.url)
                    return False
                self._add(self._placements.apply(batch))
            return not self._stop.is_set()
        finally:
            stream.close()
            with self._lock:
                self._stream = None

    def _add(self, events: Sequence[ChunkEvent]) -> None:
        if not events:
            return
        with self._room:
            self._events += events
            count = len(self._events)
        self._counts.generated(len(events))
        self._counts.buffered(count)
        with self._room:
            # Without credit the server waits, and its log goes on.
            self._room.wait_for(lambda: len(self._events) < MOST_BUFFERED or self._stop.is_set())
