# lmcache · SPDX-License-Identifier: Apache-2.0
"""Two tensor-parallel ranks in two processes, which must always agree."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from fake_server import FakeServer
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


@pytest.mark.parametrize("case", ["agreement", "unified", "legacy", "layerwise"])
def test_two_ranks(case: str, tmp_path: Path) -> None:
    cache = RankedCache(2 * LAYERS)
    server = FakeServer(cache.script())
    try:
        config = write_config(tmp_path, server)
        environment = {
            **os.environ,
            "TEST_PORT": str(port_of(server)),
            "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent / "src")]),
            "OMP_NUM_THREADS": "1",
        }
        children = [
            subprocess.Popen(
                [sys.executable, str(HERE / "sglang_ranks.py"), case, str(rank), str(tmp_path), config],
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
    finally:
        server.stop()
        cache.remove()
