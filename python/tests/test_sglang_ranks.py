# lmcache · SPDX-License-Identifier: Apache-2.0
"""Two tensor-parallel ranks in two processes, which must always agree."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from fake_server import FakeServer
from real_server import RealServer
from sglang_stage import LAYERS, FakeCache, port_of, write_config

HERE = Path(__file__).parent


class RankedCache(FakeCache):
    """Ranks have chunks of their own; a lookup finds what all ranks of its key have."""

    def _prefixes(self, key: dict) -> list[tuple[int, ...]]:  # type: ignore[type-arg]
        return [(key["model_name"], key["worker_id"], *prefix) for prefix in super()._prefixes(key)]

    def _look_up(self, key: dict, _: int) -> None:  # type: ignore[type-arg]
        chunks = 0
        while (end := 16 * (chunks + 1)) <= key["end"]:
            ranks = range(key["world_size"])
            if any((key["model_name"], rank, *key["token_ids"][:end]) not in self.stored for rank in ranks):
                break
            chunks += 1
        self._found[key["request_id"]] = chunks


PATIENT = {"lmcache.mp.mq_timeout": 30, "lmcache.mp.heartbeat_interval": 5}


def run(folder: Path, port: int) -> None:
    config = write_config(folder, port, **PATIENT)
    environment = {
        **os.environ,
        "TEST_PORT": str(port),
        "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent / "src")]),
        "OMP_NUM_THREADS": "1",
    }
    children = [
        subprocess.Popen(
            [sys.executable, str(HERE / "sglang_ranks.py"), str(rank), str(folder), config],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        outputs = [child.communicate(timeout=240)[0] for child in children]
    finally:
        for child in children:
            child.kill()
    assert [child.returncode for child in children] == [0, 0], "\n".join(outputs)


def test_two_ranks_agree(tmp_path: Path) -> None:
    cache = RankedCache(2 * LAYERS)
    server = FakeServer(cache.script())
    try:
        run(tmp_path, port_of(server))
    finally:
        server.stop()
        cache.remove()


def test_two_ranks_at_a_real_server(tmp_path: Path) -> None:
    server = RealServer()
    try:
        run(tmp_path, server.port)
        memory = server.status()["storage_manager"]["l1_managers"]["_default"]
        assert memory["total_object_count"] > 0
        held = [memory[name] for name in ("read_locked_count", "write_locked_count", "held_object_count")]
        assert held == [0, 0, 0]
    finally:
        server.stop()
