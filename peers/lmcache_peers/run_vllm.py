# lmcache · SPDX-License-Identifier: Apache-2.0
"""Runs real vLLM engines against a cache server and says what holds.

    run-vllm [--only NAME,...] [--second-mode auto|lmcache_driven] [--dtype float32|bfloat16] [--by-name]
<<<<<<< HEAD
    run-vllm --lazy [--only NAME,...] [--dtype float32|bfloat16]
=======
             [--load-mode async|inline|auto]
>>>>>>> main

The server is `LMCACHE_SERVER_COMMAND` (the original's when it is not set). Prints one line for each scenario.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

from lmcache_peers import settings, shared_memory
from lmcache_peers.engine import Engine
from lmcache_peers.processes import end_all
from lmcache_peers.report import Report
from lmcache_peers.scenarios import dead_engine, lazy_offload, quick_start, restarts, two_engines
from lmcache_peers.scenarios.stage import CHUNK, Stage
from lmcache_peers.server import CacheServer

TWO_ENGINES = [*two_engines.SCENARIOS, *restarts.SECOND_ENGINE, *dead_engine.SCENARIOS]
# The one that kills an engine comes last.
ORDER = [
    *quick_start.SCENARIOS,
    *two_engines.SCENARIOS,
    *restarts.FIRST_ENGINE,
    *restarts.SECOND_ENGINE,
    *dead_engine.SCENARIOS,
]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="names of scenarios, separated by commas")
    parser.add_argument("--second-mode", default="lmcache_driven", help="transfer mode of the second engine")
    parser.add_argument("--dtype", default="float32", help="what the engines compute and cache in")
    parser.add_argument("--by-name", action="store_true", help="the connector inside vLLM for the first engine")
<<<<<<< HEAD
    parser.add_argument("--lazy", action="store_true", help="one engine that defers its stores, and scenarios for it")
    return parser.parse_args()


def make_stage(second_mode: str, dtype: str, by_name: bool, is_lazy: bool) -> Stage:
=======
    parser.add_argument("--load-mode", default="", help="lmcache.mp.load_mode of both engines, for our package only")
    return parser.parse_args()


def make_stage(second_mode: str, dtype: str, by_name: bool, load_mode: str) -> Stage:
>>>>>>> main
    logs = settings.LOGS / time.strftime("vllm-%Y%m%d-%H%M%S")
    print(f"logs in {logs}", flush=True)
    server = CacheServer(
        "server",
        logs,
        *("--l1-size-gb", "2", "--eviction-policy", "LRU", "--chunk-size", str(CHUNK)),
        *("--supported-transfer-mode", "auto", "--shm-name", f"peers_{settings.free_port()}"),
        *("--worker-reap-timeout-seconds", str(dead_engine.REAP_SECONDS)),
    )
<<<<<<< HEAD
    more = (
        {"keeps_prefixes": True, "options": lazy_offload.OPTIONS, "extra": lazy_offload.SETTINGS} if is_lazy else {}
    )
    first = Engine("engine-1", logs, server.port, dtype=dtype, by_name=by_name, **more)
    second = Engine("engine-2", logs, server.port, mode=second_mode, dtype=dtype)
=======
    first = Engine("engine-1", logs, server.port, dtype=dtype, by_name=by_name, load_mode=load_mode)
    second = Engine("engine-2", logs, server.port, mode=second_mode, dtype=dtype, load_mode=load_mode)
>>>>>>> main
    return Stage(server, first, second)


def play(scenario: Callable[[Stage], str], stage: Stage) -> str:
    if scenario in TWO_ENGINES:
        stage.second.wait_until_ready()
    return scenario(stage)


def main() -> int:
    arguments = parse()
    wanted = [name for name in arguments.only.split(",") if name]
    choice = [*ORDER, *restarts.ON_DEMAND] if wanted else ORDER
    if arguments.lazy:
        choice = lazy_offload.SCENARIOS
    scenarios = [scenario for scenario in choice if not wanted or scenario.__name__ in wanted]
    report = Report()
    before = shared_memory.names()
    began = time.monotonic()
<<<<<<< HEAD
    stage = make_stage(arguments.second_mode, arguments.dtype, arguments.by_name, arguments.lazy)
=======
    stage = make_stage(arguments.second_mode, arguments.dtype, arguments.by_name, arguments.load_mode)
>>>>>>> main
    try:
        stage.server.start()
        print(f"server ready after {stage.server.ready_seconds:.2f} s", flush=True)
        stage.first.start()
        if any(scenario in TWO_ENGINES for scenario in scenarios):
            stage.second.start()
        stage.first.wait_until_ready()
        print(f"first engine ready after {time.monotonic() - began:.0f} s", flush=True)
        for scenario in scenarios:
            report.run(scenario.__name__, play, scenario, stage)
    finally:
        end_all()
        removed = shared_memory.remove_leftovers(before, CacheServer.ports_used)
        print(f"took {time.monotonic() - began:.0f} s, unlinked {len(removed)} shared memory leftovers", flush=True)
    return report.exit_status


if __name__ == "__main__":
    raise SystemExit(main())
