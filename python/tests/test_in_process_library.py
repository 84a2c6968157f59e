# lmcache · SPDX-License-Identifier: Apache-2.0
"""The in-process connector with the real library; skipped without vLLM or the library."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fabricated import output, request
from waiting import eventually

torch = pytest.importorskip("torch")
pytest.importorskip("vllm")

from in_process_stage import Engine  # noqa: E402
from vllm.distributed.kv_transfer.kv_connector.v1.lmcache_connector import LMCacheConnectorV1  # noqa: E402

import lmcache.native  # noqa: E402

if not lmcache.native.is_available():
    pytest.skip("the library is not built", allow_module_level=True)

CHUNK = 16
TOKENS = list(range(100, 140))
WHOLE = 32

Start = Callable[..., Engine]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> Iterator[Start]:
    for name in [name for name in os.environ if name.startswith("LMCACHE_") and name != "LMCACHE_LIBRARY"]:
        monkeypatch.delenv(name)
    folder = tmp_path / "run"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("LMCACHE_RUNTIME_DIR", str(folder))
    monkeypatch.setenv("LMCACHE_CHUNK_SIZE", str(CHUNK))
    monkeypatch.setenv("LMCACHE_MAX_LOCAL_CPU_SIZE", "0.05")
    engines: list[Engine] = []

    def start(**options: Any) -> Engine:
        engines.append(Engine(LMCacheConnectorV1, **options))
        return engines[-1]

    yield start
    for engine in engines:
        engine.shutdown()
    assert os.listdir(folder) == []


def test_bytes_come_back(start: Start) -> None:
    engine = start()
    cold = request("cold", TOKENS)
    engine.admit(cold, [1, 2, 3, 4, 5])
    engine.finish(cold)
    warm = request("warm", TOKENS)
    (seen,) = engine.admit(warm, [9, 8, 7, 6, 10])
    assert not seen.errors
    assert torch.equal(engine.blocks([9, 8, 7, 6]), engine.blocks([1, 2, 3, 4]))
    assert not torch.equal(engine.blocks([10]), engine.blocks([5]))


def test_a_local_part_is_not_written(start: Start) -> None:
    engine = start()
    engine.admit(request("a", TOKENS), [1, 2, 3, 4, 5])
    before = engine.blocks([11]).clone()
    engine.admit(request("b", TOKENS), [11, 12, 13, 14, 15], computed=8)
    assert torch.equal(engine.blocks([11]), before)
    assert torch.equal(engine.blocks([12, 13, 14]), engine.blocks([2, 3, 4]))


def test_two_ranks_have_caches_of_their_own(start: Start) -> None:
    engine = start(world=2)
    engine.admit(request("a", TOKENS), [1, 2, 3, 4, 5])
    engine.admit(request("b", TOKENS), [9, 8, 7, 6, 10])
    for rank in range(2):
        assert torch.equal(engine.blocks([9, 8, 7, 6], rank), engine.blocks([1, 2, 3, 4], rank))
    assert not torch.equal(engine.blocks([1], 0), engine.blocks([1], 1))


def test_salts_and_prefixes_are_apart(start: Start) -> None:
    engine = start()
    engine.admit(request("a", TOKENS, cache_salt="x"), [1, 2, 3, 4, 5])
    assert engine.matched(request("b", TOKENS)) == 0
    assert engine.matched(request("c", TOKENS, cache_salt="x")) == WHOLE
    assert engine.matched(request("d", [TOKENS[0] + 1, *TOKENS[1:]], cache_salt="x")) == 0
    assert engine.matched(request("e", [*TOKENS[:16], 1, *TOKENS[17:]], cache_salt="x")) == CHUNK


def test_no_lease_is_left(start: Start) -> None:
    engine = start()
    server = engine.workers[0]._lmcache_engine._worker._server
    a = request("a", TOKENS)
    engine.admit(a, [1, 2, 3, 4, 5])
    engine.finish(a)
    for index in range(20):
        one = request(f"r{index}", TOKENS)
        if index % 2:
            engine.admit(one, [9, 8, 7, 6, 10], computed=index % 4 * 8)
        else:
            engine.matched(one)
        engine.finish(one, "FINISHED_ABORTED")
    engine.step(output())
    # A question on the scheduler's connection stands behind the ends of all sessions.
    engine.impl._scheduler.adapter._clients[0].call("ping", None, timeout=5)
    assert server.usage()["leased_object_count"] == 0


@pytest.mark.parametrize(
    ("variables", "options", "expected"),
    [
        ({"LMCACHE_CHUNK_SIZE": "abc"}, {}, "LMCACHE_CHUNK_SIZE"),
        ({}, {"chunk_sise": 32}, "chunk_size"),
        ({}, {"enable_blending": True}, "CacheBlend"),
        ({"LMCACHE_CONFIG_FILE": "/nowhere/at/all.yaml"}, {}, "/nowhere/at/all.yaml"),
    ],
)
def test_bad_configuration_is_one_line_and_no_cache(
    start: Start, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], options: dict[str, Any], expected: str
) -> None:
    import logging

    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("lmcache").addHandler(handler)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    engine = start(**options)
    logging.getLogger("lmcache").removeHandler(handler)
    (line,) = [line for line in lines if "LMCache is off in the worker" in line]
    assert expected in line and "\n" not in line
    assert engine.matched(request("a", TOKENS)) == 0


def test_precedence_of_the_sources(start: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    file = tmp_path / "lmcache.yaml"
    file.write_text("chunk_size: 64\nmin_retrieve_tokens: 7\nsave_decode_cache: true\n")
    monkeypatch.setenv("LMCACHE_CONFIG_FILE", str(file))
    monkeypatch.setenv("LMCACHE_CHUNK_SIZE", "'24'")
    monkeypatch.setenv("LMCACHE_MIN_RETRIEVE_TOKENS", "9")
    engine = start(chunk_size=8, local_cpu=True)
    settings = engine.impl._settings
    assert (settings.chunk_size, settings.min_retrieve_tokens, settings.save_decode_cache) == (8, 9, True)


def test_what_vllm_passes_for_its_offloading_option(start: Start) -> None:
    engine = start(chunk_size=CHUNK, local_cpu=True, max_local_cpu_size=0.03125)
    server = engine.workers[0]._lmcache_engine._worker._server
    assert server.usage()["capacity_bytes"] == 1 << 25


def test_events_tell_what_was_stored(start: Start) -> None:
    engine = start(enable_kv_events=True)
    follower = engine.workers[0]._lmcache_engine._worker._events
    eventually(lambda: follower._placements._incarnation is not None)
    engine.admit(request("a", TOKENS), [1, 2, 3, 4, 5])
    eventually(lambda: len(engine.take_events(engine.workers[0])) >= 2)
    first, second = engine.events
    assert [list(first.token_ids), list(second.token_ids)] == [TOKENS[:16], TOKENS[16:32]]
    assert first.parent_block_hash is None and second.parent_block_hash == first.block_hashes[0]
    assert first.block_size == CHUNK


def test_a_disk_keeps_the_cache_over_a_restart(start: Start, tmp_path: pathlib.Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    options = {"local_disk": str(disk), "max_local_disk_size": 0.1}
    first = start(engine="first", **options)
    first.admit(request("a", TOKENS), [1, 2, 3, 4, 5])
    known = first.blocks([1, 2, 3, 4]).clone()
    first.shutdown()
    second = start(engine="second", **options)
    (seen,) = second.admit(request("b", TOKENS), [9, 8, 7, 6, 10])
    assert not seen.errors
    assert torch.equal(second.blocks([9, 8, 7, 6]), known)
