# lmcache · SPDX-License-Identifier: Apache-2.0
"""Two tensor-parallel ranks in two processes, which must always agree."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from fake_server import FakeServer
from real_server import RealServer
from sglang_stage import LAYERS, FakeCache, port_of, write_config

HERE = Path(__file__).parent


class RankedCache(FakeCache):
    """Ranks have chunks of their own; a lookup finds what all ranks of its key have."""

    def _prefixes(self, key: dict) -> list[tuple[int, ...]]:  # type: ignore[type-arg]
        return [(-1 - (key["worker_id"] or 0), *prefix) for prefix in super()._prefixes(key)]

    def _look_up(self, key: dict, _: int) -> None:  # type: ignore[type-arg]
        chunks = 0
        while (end := 16 * (chunks + 1)) <= key["end"]:
            if any((-1 - rank, *key["token_ids"][:end]) not in self.stored for rank in range(key["world_size"])):
                break
            chunks += 1
        self._found[key["request_id"]] = chunks


PATIENT = {"lmcache.mp.mq_timeout": 30, "lmcache.mp.heartbeat_interval": 5}
CASES = ["agreement", "unified", "legacy", "layerwise"]


def run(case: str, folder: Path, port: int, config: str) -> None:
    environment = {
        **os.environ,
        "TEST_PORT": str(port),
        "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent / "src")]),
        "OMP_NUM_THREADS": "1",
    }
    children = [
        subprocess.Popen(
            [sys.executable, str(HERE / "sglang_ranks.py"), case, str(rank), str(folder), config],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        outputs = [child.communicate(timeout=120)[0] for child in children]
    finally:
        for child in children:
            child.kill()
    assert [child.returncode for child in children] == [0, 0], "\n".join(outputs)


@pytest.mark.parametrize("case", CASES)
def test_two_ranks(case: str, tmp_path: Path) -> None:
    cache = RankedCache(2 * LAYERS)
    server = FakeServer(cache.script())
    try:
        run(case, tmp_path, port_of(server), write_config(tmp_path, port_of(server), **PATIENT))
    finally:
        server.stop()
        cache.remove()


@pytest.mark.parametrize("case", CASES[1:])
def test_two_ranks_at_a_real_server(case: str, tmp_path: Path) -> None:
    server = RealServer()
    try:
        run(case, tmp_path, server.port, write_config(tmp_path, server.port, **PATIENT))
        memory = server.status()["storage_manager"]["l1_managers"]["_default"]
        assert memory["total_object_count"] > 0
        held = [memory[name] for name in ("read_locked_count", "write_locked_count", "held_object_count")]
        assert held == [0, 0, 0]
    finally:
        server.stop()
