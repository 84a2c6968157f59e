# lmcache · SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from fake_server import NO_VALUE, SILENCE, FakeServer, Refusal
from waiting import eventually

from lmcache.integration.vllm.vllm_multi_process_adapter import LMCacheMPSchedulerAdapter, ParallelStrategy

TOKENS = list(range(70))


@pytest.fixture
def server() -> Iterator[FakeServer]:
    server = FakeServer({"query_prefetch_status": 3})
    yield server
    server.stop()


@pytest.fixture
def adapter(server: FakeServer) -> Iterator[LMCacheMPSchedulerAdapter]:
    adapter = make(server.url)
    yield adapter
    adapter.shutdown()


def make(urls: Any, **more: Any) -> LMCacheMPSchedulerAdapter:
    options = {"mq_timeout": 5, "heartbeat_interval": 1000, **more}
    strategy = ParallelStrategy(False, 1, 0, 1, 0, 1, 1)
    return LMCacheMPSchedulerAdapter(urls, None, "m", 8, strategy, **options)


def result(adapter: LMCacheMPSchedulerAdapter, name: str) -> int:
    eventually(lambda: adapter.check_lookup_result(name) is not None)
    found = adapter.check_lookup_result(name)
    assert found is not None
    return found


def test_lookup(adapter: LMCacheMPSchedulerAdapter, server: FakeServer) -> None:
    adapter.maybe_submit_lookup_request("a", TOKENS, cache_salt="s")
    adapter.maybe_submit_lookup_request("a", TOKENS, cache_salt="s")
    assert result(adapter, "a") == 48
    ((key, _),) = server.of("lookup")
    assert (key["end"], key["worker_id"], key["cache_salt"], key["num_kv_readers"]) == (64, None, "s", 1)
    assert len(server.of("query_prefetch_status")) == 1
    assert adapter.num_blocks_per_chunk() == 2


def test_result_is_asked_for_until_it_is_there(adapter: LMCacheMPSchedulerAdapter, server: FakeServer) -> None:
    server.script["query_prefetch_status"] = lambda _: NO_VALUE if len(server.of("query_prefetch_status")) < 3 else 2
    adapter.maybe_submit_lookup_request("a", token_ids=TOKENS)
    assert result(adapter, "a") == 32
    assert len(server.of("query_prefetch_status")) == 4


def test_last_token_may_be_reserved(adapter: LMCacheMPSchedulerAdapter, server: FakeServer) -> None:
    adapter.maybe_submit_lookup_request("a", TOKENS[:64], reserve_last_token=True)
    result(adapter, "a")
    assert server.of("lookup")[0][0]["end"] == 48


@pytest.mark.parametrize(
    ("operation", "answer"),
    [("lookup", Refusal("error: no")), ("query_prefetch_status", Refusal("error: no")), ("query_prefetch_status", "x")],
)
def test_failures_count_as_misses(
    adapter: LMCacheMPSchedulerAdapter, server: FakeServer, operation: str, answer: Any
) -> None:
    server.script[operation] = answer
    adapter.maybe_submit_lookup_request("a", TOKENS)
    assert result(adapter, "a") == 0


def test_silence_counts_as_a_miss_after_its_deadline(server: FakeServer) -> None:
    adapter = make(server.url, mq_timeout=0.05)
    server.script["lookup"] = SILENCE
    adapter.maybe_submit_lookup_request("a", TOKENS)
    assert adapter.check_lookup_result("a") is None
    assert result(adapter, "a") == 0
    adapter.shutdown()


def test_more_hits_than_asked_for_are_cut(adapter: LMCacheMPSchedulerAdapter, server: FakeServer) -> None:
    server.script["query_prefetch_status"] = 1000
    adapter.maybe_submit_lookup_request("a", TOKENS)
    assert result(adapter, "a") == 64


def test_lookup_lost_with_its_server_is_a_miss_at_once(adapter: LMCacheMPSchedulerAdapter, server: FakeServer) -> None:
    server.script["lookup"] = SILENCE
    adapter.maybe_submit_lookup_request("a", TOKENS)
    eventually(lambda: server.of("lookup"))
    assert adapter.check_lookup_result("a") is None
    server.restart()
    assert result(adapter, "a") == 0
    server.script["lookup"] = NO_VALUE
    eventually(lambda: adapter.is_healthy)
    adapter.maybe_submit_lookup_request("b", TOKENS)
    assert result(adapter, "b") == 48


def test_nothing_is_sent_while_the_server_is_away(adapter: LMCacheMPSchedulerAdapter, server: FakeServer) -> None:
    server.stop()
    eventually(lambda: not adapter.is_healthy)
    adapter.maybe_submit_lookup_request("a", TOKENS)
    assert adapter.check_lookup_result("a") == 0
    adapter.free_lookup_locks(TOKENS, 0, 64, "a")
    adapter.end_session("a")
    server.start()
    eventually(lambda: adapter.is_healthy)
    assert set(server.names()) <= {"get_chunk_size", "get_experimental", "ping"}


def test_leases_are_given_back_in_whole_chunks(adapter: LMCacheMPSchedulerAdapter, server: FakeServer) -> None:
    adapter.maybe_submit_lookup_request("a", TOKENS)
    result(adapter, "a")
    adapter.free_lookup_locks(TOKENS, 5, 40, "a")
    adapter.free_lookup_locks(TOKENS, 5, 20, "a")
    adapter.end_session("a")
    eventually(lambda: server.of("end_session") == [["a"]])
    assert [(key["start"], key["end"]) for key, _ in server.of("free_lookup_locks")] == [(16, 32)]


@pytest.mark.parametrize("salt", ["a@b", "a/b", "a\\b", "a\0b", "x" * 129])
def test_salts_that_the_server_refuses_find_nothing(
    adapter: LMCacheMPSchedulerAdapter, server: FakeServer, salt: str
) -> None:
    adapter.maybe_submit_lookup_request("a", TOKENS, cache_salt=salt)
    assert adapter.check_lookup_result("a") == 0
    assert not server.of("lookup")


def test_block_hashes_of_old_engines_find_nothing(adapter: LMCacheMPSchedulerAdapter, server: FakeServer) -> None:
    adapter.maybe_submit_lookup_request("a", [b"1" * 32] * 8)
    assert adapter.check_lookup_result("a") == 0


def test_several_servers_agree_on_the_least(server: FakeServer) -> None:
    other = FakeServer({"query_prefetch_status": 1})
    adapter = make([server.url, other.url])
    adapter.maybe_submit_lookup_request("a", TOKENS)
    assert result(adapter, "a") == 16
    assert adapter.surplus_of("a") == 48
    adapter.shutdown()
    other.stop()


def test_reports_and_clearing(adapter: LMCacheMPSchedulerAdapter, server: FakeServer) -> None:
    adapter.report_block_allocations([SimpleNamespace(req_id="a", new_block_ids=[1], new_token_ids=[2])])
    adapter.report_block_allocations([])
    assert adapter.reset_cache()
    assert server.of("clear") == [[False]]
    assert server.of("report_block_allocation")[0][2] == [{"req_id": "a", "new_block_ids": [1], "new_token_ids": [2]}]


def test_server_that_does_not_know_what_it_can_does_not_hold_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lmcache.integration.vllm.chunk_size.CAPABILITY_SECONDS", 0.2)
    server = FakeServer({"get_experimental": SILENCE})
    started = time.monotonic()
    adapter = LMCacheMPSchedulerAdapter(server.url, None, "m", 1, 0, 16, mq_timeout=60)
    assert time.monotonic() - started < 10
    assert adapter.chunk_size == 16
    adapter.shutdown()
    server.stop()


def test_requests_leave_in_the_order_of_the_calls(adapter: LMCacheMPSchedulerAdapter, server: FakeServer) -> None:
    for name in ("a", "b"):
        adapter.maybe_submit_lookup_request(name, TOKENS)
        adapter.free_lookup_locks(TOKENS, 0, 64, name)
        adapter.end_session(name)
    eventually(lambda: len(server.of("end_session")) == 2)
    sent = [name for name in server.names() if name in ("lookup", "free_lookup_locks", "end_session")]
    assert sent == ["lookup", "free_lookup_locks", "end_session"] * 2


def test_lookup_that_cannot_begin_is_a_miss(adapter: LMCacheMPSchedulerAdapter, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise OSError("no memory")

    monkeypatch.setattr(adapter, "_key", fail)
    adapter.maybe_submit_lookup_request("a", TOKENS)
    assert result(adapter, "a") == 0


def test_after_its_end_nothing_is_found(server: FakeServer) -> None:
    adapter = make(server.url)
    adapter.shutdown()
    adapter.maybe_submit_lookup_request("a", TOKENS)
    assert adapter.check_lookup_result("a") == 0
