# lmcache · SPDX-License-Identifier: Apache-2.0
"""A cache in this process with a disk behind it, against the real library."""

from __future__ import annotations

import json
import pathlib

import pytest
from native_memory import TOKENS, ProcessMemory, key, needs_library, register
from waiting import eventually

from lmcache.native import ConfigurationError, EmbeddedServer, resolve_configuration

needs_library()


def document(folder: pathlib.Path, rank: int = 0, **more: object) -> str:
    keys = {"chunk_size": 8, "max_local_cpu_size": 0.0625, "local_disk": str(folder), "max_local_disk_size": 0.1}
    return json.dumps({"file": json.dumps({**keys, **more}), "rank": rank})


def found(server: EmbeddedServer, request: str) -> int:
    client = server.client(default_timeout=10)
    client.call("lookup", key(request, None), 1)
    count: int = client.call("wait_prefetch_status", request, 5.0)
    return count


def files(folder: pathlib.Path) -> int:
    return sum(path.is_file() and path.suffix == ".data" for path in folder.rglob("*"))


@pytest.mark.parametrize("keeps_in_memory", [True, False])
def test_what_was_stored_survives_the_process(tmp_path: pathlib.Path, keeps_in_memory: bool) -> None:
    memory = ProcessMemory()
    with EmbeddedServer(document(tmp_path, local_cpu=keeps_in_memory)) as server:
        client = server.client(default_timeout=10)
        register(client, memory)
        assert client.call("store", key("a"), 7, [list(range(1, 9))], b"event")[1] is True
        eventually(lambda: files(tmp_path) == TOKENS // 8)
    with EmbeddedServer(document(tmp_path)) as server:
        client = server.client(default_timeout=10)
        register(client, memory)
        assert found(server, "b") == TOKENS // 8
        assert client.call("retrieve", key("b"), 7, [list(range(9, 17))], b"event", 0)[1] is True
        assert memory.blocks(1) == memory.blocks(9)


def test_ranks_never_read_each_others_bytes(tmp_path: pathlib.Path) -> None:
    """All ranks ask with world size 1 and worker 0, so their keys are the same."""
    memories = [ProcessMemory(seed) for seed in (0, 1)]
    for rank, memory in enumerate(memories):
        with EmbeddedServer(document(tmp_path, rank)) as server:
            client = server.client(default_timeout=10)
            register(client, memory)
            assert found(server, "before") == 0
            assert client.call("store", key("a"), 7, [list(range(1, 9))], b"event")[1] is True
            eventually(lambda rank=rank: files(tmp_path) == (rank + 1) * TOKENS // 8)
    for rank, memory in enumerate(memories):
        with EmbeddedServer(document(tmp_path, rank)) as server:
            client = server.client(default_timeout=10)
            register(client, memory)
            assert found(server, "b") == TOKENS // 8
            assert client.call("retrieve", key("b"), 7, [list(range(9, 17))], b"event", 0)[1] is True
            assert memory.blocks(1) == memory.blocks(9)


def test_a_directory_that_cannot_be_had_is_one_line(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(Exception, match="local_disk") as caught:
        EmbeddedServer(document(tmp_path / "file" / "below"))
    assert "\n" not in str(caught.value)


def test_a_shared_store_behind_several_ranks_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="several workers"):
        resolve_configuration(json.dumps({"file": "remote_url: redis://h:1", "rank": 1}))
