# lmcache · SPDX-License-Identifier: Apache-2.0
"""Runs real vLLM engines that have the cache in their own process, with the package of LMCACHE_PEERS_CLIENT.

    run-vllm-in-process [--only NAME,...] [--dtype float32|bfloat16]

Engines come one after the other, each with its scenarios; prints one line for each scenario.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from lmcache_peers import settings, shared_memory
from lmcache_peers.engine import Engine
from lmcache_peers.in_process import InProcessStage, connector
from lmcache_peers.processes import end_all
from lmcache_peers.report import Report
from lmcache_peers.scenarios import in_process, quick_start
from lmcache_peers.scenarios.stage import CHUNK, Stage
from lmcache_peers.server import CacheServer

BLOCKS = 130
DEFAULT_PORT = 5555
"""Where the multi-process connector looks for a server when nothing tells it."""

FOLDER = "FOLDER"
"""Stands for a folder of the case's own."""

Scenario = Callable[[Any], str]
_KEPT = {"LMCACHE_LIBRARY", "LMCACHE_LOG_LEVEL", "LMCACHE_PEERS_DIR", "LMCACHE_PEERS_CLIENT", "LMCACHE_SERVER_COMMAND"}


@dataclass
class Case:
    """One engine and what is tried on it."""

    name: str
    scenarios: list[Scenario]
    options: tuple[str, ...] = ()
    connector: dict[str, Any] | None = None
    environment: tuple[tuple[str, str], ...] = ()
    has_server: bool = False


BY_NAME = Case(
    "default-name",
    [
        quick_start.cold_then_repeat,
        quick_start.text_depends_on_the_prefix,
        quick_start.shared_prefix,
        quick_start.salts_are_apart,
        quick_start.prompt_of_whole_chunks,
        quick_start.prompt_below_one_chunk,
        quick_start.chunked_prefill,
        in_process.preempting,
        in_process.killed_and_started_again,
        in_process.nothing_went_wrong,
    ],
    options=("--num-gpu-blocks-override", str(BLOCKS)),
    connector=connector(),
)
BY_PATH = Case(
    "module-path",
    [
        quick_start.cold_then_repeat,
        quick_start.many_at_once,
        in_process.restarted_with_its_disk,
        in_process.nothing_went_wrong,
    ],
    connector=connector(
        "LMCacheConnectorV1Dynamic", by_path=True, use_layerwise=True, local_disk=FOLDER, max_local_disk_size=1
    ),
)
WRONG = Case(
    "wrong-configuration",
    [in_process.wrong_configuration],
    connector=connector(chunk_sise=CHUNK),
)
OFFLOADING = Case(
    "offloading-option",
    [quick_start.cold_then_repeat],
    options=("--kv-offloading-backend", "lmcache", "--kv-offloading-size", "1"),
    connector={},
    has_server=True,
)
CASES = [BY_NAME, BY_PATH, WRONG, OFFLOADING]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="names of engines or scenarios, separated by commas")
    parser.add_argument("--dtype", default="float32", help="what the engines compute and cache in")
    return parser.parse_args()


@contextmanager
def server_of(case: Case, logs: pathlib.Path) -> Iterator[CacheServer | None]:
    """The server at the address that vLLM's option stands for, where a case needs it."""
    if not case.has_server:
        yield None
        return
    with socket.socket() as probe:
        probe.bind((settings.LOCAL, DEFAULT_PORT))
    server = CacheServer(
        "server",
        logs,
        *("--l1-size-gb", "1", "--eviction-policy", "LRU", "--chunk-size", str(CHUNK)),
        *("--supported-transfer-mode", "auto", "--shm-name", f"peers_{settings.free_port()}"),
        port=DEFAULT_PORT,
    )
    server.start()
    yield server
    server.stop()


def play(case: Case, scenarios: list[Scenario], logs: pathlib.Path, dtype: str, report: Report) -> str:
    with tempfile.TemporaryDirectory(prefix="lmcache-") as folder, server_of(case, logs) as server:
        runtime = pathlib.Path(folder)
        environment = {"LMCACHE_RUNTIME_DIR": folder, **dict(case.environment)}
        chosen = None if case.connector is None else json.loads(json.dumps(case.connector).replace(FOLDER, folder))
        engine = Engine(
            case.name, logs, 0, dtype=dtype, options=case.options, connector=chosen, environment=environment
        )
        began = time.monotonic()
        engine.start()
        engine.wait_until_ready()
        ready = f"ready after {time.monotonic() - began:.0f} s"
        stage: Any = InProcessStage(engine, runtime)
        if server is not None:
            stage = Stage(server, engine, engine)
        for scenario in scenarios:
            report.run(f"{case.name}:{scenario.__name__}", scenario, stage)
        if engine.process.exit_status is None:
            engine.stop()
        return f"{ready}, {len(scenarios)} scenarios"


def main() -> int:
    arguments = parse()
    wanted = {name for name in arguments.only.split(",") if name}
    logs = settings.LOGS / time.strftime("vllm-in-process-%Y%m%d-%H%M%S")
    print(f"logs in {logs}", flush=True)
    # What a case does not say is at its default, whatever this program's own environment holds.
    for name in [name for name in os.environ if name.startswith("LMCACHE_") and name not in _KEPT]:
        del os.environ[name]
    report = Report()
    before = shared_memory.names()
    began = time.monotonic()
    try:
        for case in CASES:
            chosen = [one for one in case.scenarios if not wanted or wanted & {case.name, one.__name__}]
            if chosen:
                report.run(case.name, play, case, chosen, logs, arguments.dtype, report)
    finally:
        end_all()
        removed = shared_memory.remove_leftovers(before, CacheServer.ports_used)
        print(f"took {time.monotonic() - began:.0f} s, unlinked {len(removed)} shared memory leftovers", flush=True)
    return report.exit_status


if __name__ == "__main__":
    raise SystemExit(main())
