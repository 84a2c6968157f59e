# lmcache · SPDX-License-Identifier: Apache-2.0
"""What follows from a server's log of chunks."""

from __future__ import annotations

from typing import Any

from lmcache.events.placements import ChunkRemoved, ChunkStored, Placements
from lmcache.wire.types import KVEventBatch, KVEventRecord

A, B, C = b"a" * 32, b"b" * 32, b"c" * 32


def stored(seq: int, item: bytes, parent: bytes | None = None) -> KVEventRecord:
    return KVEventRecord(seq, "stored", "CPU", "m", [item], parent, [1, 2])


def removed(seq: int, *items: bytes) -> KVEventRecord:
    return KVEventRecord(seq, "removed", "CPU", "m", list(items), None, [])


def batch(*events: KVEventRecord, cursor: int = 9, incarnation: int = 1, lost: bool = False) -> KVEventBatch:
    return KVEventBatch(True, incarnation, cursor, lost, list(events))


def followed() -> tuple[Placements, list[str]]:
    reasons: list[str] = []
    return Placements(reasons.append), reasons


def test_chunks_are_announced_once_and_only_those_are_withdrawn() -> None:
    placements, reasons = followed()
    assert placements.apply(batch(stored(1, A), stored(2, B, A), stored(3, A))) == [
        ChunkStored((A,), None, (1, 2), "CPU"),
        ChunkStored((B,), A, (1, 2), "CPU"),
    ]
    assert placements.apply(batch(removed(4, A, C))) == [ChunkRemoved((A,), "CPU")]
    assert placements.apply(batch(removed(5, A))) == []
    assert placements.apply(batch(stored(6, A))) == [ChunkStored((A,), None, (1, 2), "CPU")]
    assert (placements.cursor, reasons) == (9, [])


def test_restart_of_the_server_withdraws_everything() -> None:
    placements, reasons = followed()
    placements.apply(batch(stored(1, A), stored(2, B)))
    assert placements.apply(batch(stored(1, B), incarnation=2, cursor=1)) == [
        ChunkRemoved((A, B), "CPU"),
        ChunkStored((B,), None, (1, 2), "CPU"),
    ]
    assert (placements.cursor, reasons) == (1, ["server_restart"])


def test_gap_withdraws_everything_but_not_at_first_contact() -> None:
    placements, reasons = followed()
    assert placements.apply(batch(stored(5, A), lost=True)) == [ChunkStored((A,), None, (1, 2), "CPU")]
    assert reasons == []
    assert placements.apply(batch(stored(9, B), lost=True)) == [
        ChunkRemoved((A,), "CPU"),
        ChunkStored((B,), None, (1, 2), "CPU"),
    ]
    assert reasons == ["events_lost"]


def test_end_of_the_stream_withdraws_and_begins_anew() -> None:
    placements, _ = followed()
    placements.apply(batch(stored(1, A)))
    assert placements.withdraw("stream_closed") == [ChunkRemoved((A,), "CPU")]
    assert placements.cursor == 0 and placements.withdraw("stream_closed") == []


def test_records_of_unknown_kind_or_without_tokens_are_left_out() -> None:
    placements, _ = followed()
    strange: Any = KVEventRecord(1, "moved", "CPU", "m", [A], None, [1])
    assert placements.apply(batch(strange, KVEventRecord(2, "stored", "CPU", "m", [A], None, []))) == []
