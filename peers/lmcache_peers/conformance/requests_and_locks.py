# lmcache · SPDX-License-Identifier: Apache-2.0
"""What belongs to a request: its lookup, its locks, its pending writes; and what becomes of them when it ends."""

from __future__ import annotations

import os
import pathlib
import pickle
import tempfile
import time

from lmcache_peers.conformance.bench import Bench
from lmcache_peers.conformance.expected import NOT_FOUND, NOTHING_TO_STORE, is_no_value
from lmcache_peers.conformance.well_behaved import load, store, write_slots
from lmcache_peers.report import expect, expect_equal
from lmcache_peers.wire import encode
from lmcache_peers.wire_values import MODEL, fresh_number, fresh_request, fresh_tokens, key


def _read_locks(bench: Bench) -> int:
    return int(bench.memory()["read_locked_count"])


def freed_locks(bench: Bench) -> str:
    """Locks of a lookup are released by its owner, for the chunks that it names."""
    with bench.engine_driven() as (instance, answer):
        before = _read_locks(bench)
        wanted = key(fresh_tokens(3))
        store(bench, instance, answer, wanted, seed=10)
        bench.lookup(wanted)
        expect_equal("locked objects", _read_locks(bench) - before, 3)
        part = {**wanted, "worker_id": None, "end": 32}
        expect(is_no_value(bench.call("free_lookup_locks", part, 1)), "free_lookup_locks has a value")
        expect_equal("locked objects after one chunk was freed", _read_locks(bench) - before, 2)
        bench.call("free_lookup_locks", {**wanted, "worker_id": None}, 1)
        expect_equal("locked objects after all were freed", _read_locks(bench) - before, 0)
        bench.call("free_lookup_locks", {**wanted, "worker_id": None}, 1)
        expect_equal(
            "prepare_retrieve without locks", bench.call("prepare_retrieve", wanted, instance).value, NOT_FOUND
        )
    return "3 locked, 1 freed, 2 freed"


def clear_spares_locked_objects(bench: Bench) -> str:
    """An unforced clear keeps what a request is about to load."""
    with bench.engine_driven() as (instance, answer):
        kept, dropped = key(fresh_tokens(2)), key(fresh_tokens(2))
        written = store(bench, instance, answer, kept, seed=11)
        store(bench, instance, answer, dropped, seed=12)
        expect_equal("chunks found", bench.lookup(kept), 2)
        expect(is_no_value(bench.call("clear", False)), "clear has a value")
        expect_equal("found of the unlocked", bench.lookup(dropped), 0)
        expect(load(bench, instance, answer, kept) == written, "other bytes came back")
    return "locked kept, unlocked gone"


def pending_writes_are_not_found(bench: Bench) -> str:
    """Slots that were handed out are nobody else's until their commit."""
    with bench.engine_driven() as (instance, answer):
        wanted = key(fresh_tokens(2))
        slots = bench.call("prepare_store", wanted, instance).value["context"]["slots"]
        expect_equal("slots", len(slots), 2)
        with bench.engine_driven() as (other, _):
            expect_equal("slots of another", bench.call("prepare_store", wanted, other).value, NOTHING_TO_STORE)
            expect_equal("commit of another", bench.call("commit_store", wanted, other, b"").value, False)
        expect_equal("chunks found", bench.lookup({**wanted, "request_id": fresh_request()}), 0)
        write_slots(answer, slots, seed=13)
        expect_equal("commit", bench.call("commit_store", wanted, instance, b"").value, True)
        expect_equal("chunks found", bench.lookup(wanted), 2)
    return "2 slots"


def writes_of_a_gone_worker_are_dropped(bench: Bench) -> str:
    """What a worker had not committed when it unregistered is never found."""
    wanted = key(fresh_tokens(2))
    with bench.engine_driven() as (instance, _):
        expect_equal("slots", len(bench.call("prepare_store", wanted, instance).value["context"]["slots"]), 2)
    with bench.engine_driven() as (instance, answer):
        expect_equal("chunks found", bench.lookup({**wanted, "request_id": fresh_request()}), 0)
        written = store(bench, instance, answer, wanted, seed=14)
        expect_equal("chunks that could be stored anew", len(written), 2)
        expect_equal("chunks found", bench.lookup(wanted), 2)
        expect(load(bench, instance, answer, wanted) == written, "other bytes came back")
    return "dropped, and stored anew"


def ended_requests_hold_nothing(bench: Bench) -> str:
    """The end of a request releases the locks that it never used, and so does a second lookup of the same id."""
    with bench.engine_driven() as (instance, answer):
        before = _read_locks(bench)
        wanted = key(fresh_tokens(3))
        store(bench, instance, answer, wanted, seed=15)
        bench.lookup(wanted)
        bench.lookup(wanted)
        bench.call("end_session", wanted["request_id"])
        expect_equal("locked objects after the end", _read_locks(bench) - before, 0)
        unread = {**wanted, "request_id": fresh_request(), "worker_id": None}
        bench.call("lookup", unread, 1)
        bench.call("end_session", unread["request_id"])
        expect_equal("locked objects of a result never asked for", _read_locks(bench) - before, 0)
    return "no locks left"


def request_id_with_other_tokens(bench: Bench) -> str:
    """A request id that comes again with another text never gets keys of the old one."""
    with bench.engine_driven() as (instance, answer):
        request = fresh_request()
        one, two = key(fresh_tokens(2), request_id=request), key(fresh_tokens(2), request_id=request)
        first = store(bench, instance, answer, one, seed=16)
        second = store(bench, instance, answer, two, seed=17)
        for wanted, written in ((one, first), (two, second)):
            fresh = {**wanted, "request_id": fresh_request()}
            expect_equal("chunks found", bench.lookup(fresh), 2)
            expect(load(bench, instance, answer, fresh) == written, "bytes of the other text came back")
    return "two texts under one id stay apart"


def lookups_of_two_connections(bench: Bench) -> str:
    """Two clients that look up under one id both get the answer."""
    with bench.engine_driven() as (instance, answer), bench.connect() as other:
        wanted = {**key(fresh_tokens(2)), "worker_id": None}
        store(bench, instance, answer, {**wanted, "worker_id": 0}, seed=18)
        bench.call("lookup", wanted, 1)
        other.call("lookup", wanted, 1)
        found = [bench.call("query_prefetch_status", wanted["request_id"]).value]
        found.append(other.call("query_prefetch_status", wanted["request_id"]).value)
        expect_equal("chunks found", found, [2, 2])
        bench.call("end_session", wanted["request_id"])
    return "2 and 2"


def one_lookup_for_several_readers(bench: Bench) -> str:
    """An object that several workers load stays locked until each has."""
    with bench.engine_driven() as (one, answer), bench.engine_driven() as (two, _):
        wanted = key(fresh_tokens(2), num_kv_readers=2)
        before = _read_locks(bench)
        written = store(bench, one, answer, wanted, seed=19)
        expect_equal("chunks found", bench.lookup(wanted), 2)
        expect(load(bench, one, answer, wanted) == written, "other bytes came back to the first")
        expect_equal("locked objects", _read_locks(bench) - before, 2)
        expect(load(bench, two, answer, wanted) == written, "other bytes came back to the second")
        expect_equal("locked objects at last", _read_locks(bench) - before, 0)
    return "two readers"


def ping_of_the_unregistered(bench: Bench) -> str:
    """An instance that the server does not know is told so once, and then left to register again."""
    instance = fresh_number()
    expect_equal("pings", [bench.call("ping", instance).value for _ in range(4)], [False, True, True, True])
    with bench.engine_driven() as (registered, _):
        expect_equal("pings when registered", [bench.call("ping", registered).value for _ in range(3)], [True] * 3)
    return "false, then true"


def ping_after_a_lost_connection(bench: Bench) -> str:
    """A scheduler whose connection broke is told so once, so that it gives up the answers it will never get.

    It pings without an instance id. Clients count their requests from 0, so a connection whose first request has a
    higher number took the place of an earlier one.
    """
    with bench.connect() as fresh:
        expect_equal("pings of a new client", [fresh.call("ping", None).value for _ in range(3)], [True] * 3)
    with bench.connect() as returned:
        answers = [returned.call_raw("ping", [encode(None)], uid=encode(uid)).value for uid in (7, 8, 9)]
        expect_equal("pings of a returned client", answers, [False, True, True])
    with bench.connect() as returned:
        found = returned.call_raw("query_prefetch_status", [encode(fresh_request())], uid=encode(300)).value
        expect_equal("query of a returned client", found, 0)
        answers = [returned.call_raw("ping", [encode(None)], uid=encode(uid)).value for uid in (301, 302)]
        expect_equal("later pings of a returned client", answers, [False, True])
    return "true for new clients; false, then true for returned ones"


def ping_of_a_returned_worker(bench: Bench) -> str:
    """A registered worker whose connection broke is told so once as well, so that it drops the answers it lost."""
    with bench.engine_driven() as (instance, _), bench.connect() as returned:
        answers = [returned.call_raw("ping", [encode(instance)], uid=encode(uid)).value for uid in (9, 10, 11)]
        expect_equal("pings of a returned worker", answers, [False, True, True])
    return "false, then true"


class _Touch:
    """Makes a file when a careless reader unpickles it."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (self._path,)


def inline_bytes(bench: Bench) -> str:
    """Bytes inside a commit are never taken for a program; what they are not is refused."""
    path = pathlib.Path(tempfile.gettempdir()) / f"conformance-{os.getpid()}-{time.monotonic_ns()}"
    contents = {
        "noise": b"\xff" * 1000,
        "a pickle that runs": pickle.dumps([_Touch(str(path))]),
        "a pickle that never ends": b"\x80\x04" + b"(" * 100_000,
        "a pickle of huge bytes": b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f",
        "a pickle of other things": pickle.dumps(["text", 1, {"a": None}]),
        "an empty list": pickle.dumps([]),
    }
    with bench.engine_driven() as (instance, _):
        for name, data in contents.items():
            wanted = key(fresh_tokens(2))
            expect_equal(f"commit of {name}", bench.call("commit_store", wanted, instance, data).value, False)
            expect_equal(f"chunks found after {name}", bench.lookup(wanted), 0)
    expect(not path.exists(), "the pickle was run")
    return f"{len(contents)} contents refused"


def other_models_are_apart(bench: Bench) -> str:
    """The same tokens under another model are another text."""
    other = f"{MODEL}-{fresh_number()}"
    with bench.engine_driven() as (instance, answer), bench.engine_driven(model_name=other) as (second, _):
        tokens = fresh_tokens(2)
        store(bench, instance, answer, key(tokens), seed=20)
        expect_equal("found under another model", bench.lookup(key(tokens, model_name=other)), 0)
        written = store(bench, second, answer, key(tokens, model_name=other), seed=21)
        wanted = key(tokens, model_name=other)
        expect_equal("found under its own model", bench.lookup(wanted), 2)
        expect(load(bench, second, answer, wanted) == written, "other bytes came back")
    return "two models, two contents"


SCENARIOS = [
    freed_locks,
    clear_spares_locked_objects,
    pending_writes_are_not_found,
    writes_of_a_gone_worker_are_dropped,
    ended_requests_hold_nothing,
    request_id_with_other_tokens,
    lookups_of_two_connections,
    one_lookup_for_several_readers,
    ping_of_the_unregistered,
    ping_after_a_lost_connection,
    ping_of_a_returned_worker,
    inline_bytes,
    other_models_are_apart,
]
