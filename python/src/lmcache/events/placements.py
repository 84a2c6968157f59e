# lmcache · SPDX-License-Identifier: Apache-2.0
"""Which chunks were announced, and what a batch of the server changes about that. No clock, no lock, no socket."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from lmcache.wire.types import KVEventBatch, KVEventRecord

SERVER_RESTART = "server_restart"
EVENTS_LOST = "events_lost"
STREAM_CLOSED = "stream_closed"


@dataclass(frozen=True)
class ChunkStored:
    """Chunks that became available; `parent` is the chunk before the first, none at the start of a prompt."""

    hashes: tuple[bytes, ...]
    parent: bytes | None
    tokens: tuple[int, ...]
    medium: str


@dataclass(frozen=True)
class ChunkRemoved:
    """Chunks that went away."""

    hashes: tuple[bytes, ...]
    medium: str


ChunkEvent = ChunkStored | ChunkRemoved


@dataclass
class Placements:
    """Follows one server's log. After a gap everything announced is withdrawn: what is still there is unknown.

    Only what was announced is ever withdrawn, and nothing is announced twice in a row.
    """

    on_resync: Callable[[str], None] = lambda _: None
    cursor: int = 0
    _incarnation: int | None = None
    _announced: dict[str, dict[bytes, None]] = field(default_factory=dict)

    def apply(self, batch: KVEventBatch) -> list[ChunkEvent]:
        """What a batch changes."""
        events: list[ChunkEvent] = []
        if self._incarnation is None:
            # Nothing was announced yet, so a log that begins later has lost nothing of it.
            self._incarnation = batch.incarnation
        elif batch.incarnation != self._incarnation:
            self._incarnation = batch.incarnation
            events += self.withdraw(SERVER_RESTART)
        elif batch.lost:
            events += self.withdraw(EVENTS_LOST)
        for record in batch.events:
            event = self._event(record)
            if event is not None:
                events.append(event)
        self.cursor = max(0, batch.next_cursor)
        return events

    def withdraw(self, reason: str) -> list[ChunkEvent]:
        """Takes back everything announced."""
        self.on_resync(reason)
        self.cursor = 0
        events: list[ChunkEvent] = [
            ChunkRemoved(tuple(hashes), medium) for medium, hashes in self._announced.items() if hashes
        ]
        self._announced.clear()
        return events

    def _event(self, record: KVEventRecord) -> ChunkEvent | None:
        announced = self._announced.setdefault(record.medium, {})
        if record.kind == "stored":
            new = tuple(item for item in record.block_hashes if item not in announced)
            if not new or not record.token_ids:
                return None
            announced.update(dict.fromkeys(new))
            return ChunkStored(new, record.parent_block_hash, tuple(record.token_ids), record.medium)
        if record.kind == "removed":
            gone = tuple(item for item in record.block_hashes if announced.pop(item, self) is None)
            return ChunkRemoved(gone, record.medium) if gone else None
        return None
