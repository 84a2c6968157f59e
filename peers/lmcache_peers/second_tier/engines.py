# lmcache · SPDX-License-Identifier: Apache-2.0
"""A real vLLM engine fills every second tier; after a restart of everything another one hits from each of them alone.

    run-vllm-second-tier [--tier fs,resp,s3] [--mode auto|lmcache_driven]

The engine has LMCache's connector, or the package of LMCACHE_PEERS_CLIENT. Prints one line for each tier.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import re
import shutil
import tempfile
import time
from dataclasses import dataclass, field
from typing import Any

from lmcache_peers import settings, shared_memory
from lmcache_peers.adapters import TIERS
from lmcache_peers.engine import Completion, Engine
from lmcache_peers.processes import end_all, wait_for
from lmcache_peers.prompts import random_tokens, whole_chunks
from lmcache_peers.report import Report, expect, expect_equal
from lmcache_peers.scenarios.restarts import wait_until_caching
from lmcache_peers.scenarios.stage import CHUNK, Stage, expect_cold, expect_hit, expect_same
from lmcache_peers.server import CacheServer

# Neither length is a whole number of chunks, and the first one takes three prefill steps.
PROMPTS = [random_tokens(seed=70, count=1500), random_tokens(seed=71, count=700)]
CHUNKS = [whole_chunks(len(prompt), CHUNK) // CHUNK for prompt in PROMPTS]
STORE_SECONDS = 60

_KEPT = re.compile(r"retained keys \((\d+) L1, (\d+) L2\)")


@dataclass(slots=True)
class Run:
    """The tiers, and what the first engine answered."""

    logs: pathlib.Path
    mode: str
    tiers: dict[str, dict[str, Any]]
    port: int
    known: list[Completion] = field(default_factory=list)
    engine: Engine | None = None

    def start_server(self, name: str, *tiers: dict[str, Any]) -> CacheServer:
        """An empty pool of a name of its own, always on the same port."""
        server = CacheServer(
            f"server-{name}",
            self.logs,
            *("--l1-size-gb", "1", "--eviction-policy", "LRU", "--chunk-size", str(CHUNK)),
            *("--supported-transfer-mode", "auto", "--shm-name", f"peers_{settings.free_port()}"),
            *(part for tier in tiers for part in ("--l2-adapter", json.dumps(tier))),
            port=self.port,
        )
        server.start()
        return server

    def start_engine(self, name: str) -> Engine:
        engine = Engine(name, self.logs, self.port, mode=self.mode)
        engine.start()
        engine.wait_until_ready()
        return engine


def fill(run: Run) -> str:
    """One engine computes the prompts, and every tier takes all whole chunks; then both programs end."""
    server = run.start_server("fill", *run.tiers.values())
    engine = run.start_engine("engine-fill")
    stage = Stage(server, engine, engine)
    for prompt in PROMPTS:
        seen = stage.ask(engine, prompt)
        expect_cold(seen, prompt)
        run.known.append(seen.completion)
    expect(not run.known[0].same_as(run.known[1]), "both prompts gave the same text")
    wait_for("stores in every tier", STORE_SECONDS, lambda: is_stored(server.status(), len(run.tiers)))
    engine.stop()
    expect_equal("the server's exit status", server.stop(), 0)
    return f"{sum(CHUNKS)} chunks in each of {', '.join(run.tiers)}"


def is_stored(status: dict[str, Any], tiers: int) -> bool:
    storage = status["storage_manager"]
    control, adapters = storage["store_controller"], storage["l2_adapters"]
    expect_equal("tiers in the status", len(adapters), tiers)
    under_way = control["pending_keys_count"] + control["in_flight_task_count"]
    return under_way == 0 and all(one["stored_object_count"] >= sum(CHUNKS) for one in adapters)


def serve(run: Run, name: str) -> str:
    """A new server with an empty pool has only this tier: whole chunks hit, from there, and the texts are the same."""
    expect(len(run.known) == len(PROMPTS), "the tiers were never filled")
    server = run.start_server(name, run.tiers[name])
    try:
        if run.engine is None:
            run.engine = run.start_engine("engine-again")
        stage = Stage(server, run.engine, run.engine)
        registered = wait_until_caching(stage, run.engine, seed=7000 + 100 * list(TIERS).index(name))
        details = [hit_from_tier(stage, *one) for one in zip(PROMPTS, CHUNKS, run.known, strict=True)]
        (adapter,) = server.status()["storage_manager"]["l2_adapters"]
        expect(adapter["loaded_bytes"] > 0, f"the tier loaded nothing: {adapter}")
        expect_equal("failed and damaged objects", (adapter["failed"], adapter["mismatched"]), (0, 0))
    finally:
        status = server.stop()
    expect_equal("the server's exit status", status, 0)
    return f"cached again after {registered:.1f} s; {'; '.join(details)}; {adapter['loaded_bytes']} bytes loaded"


def hit_from_tier(stage: Stage, prompt: list[int], chunks: int, known: Completion) -> str:
    mark = stage.server.mark()
    seen = stage.ask(stage.first, prompt)
    expect_hit(seen, prompt, cached=len(prompt))
    same = expect_same(known, seen.completion)
    kept = [(int(pool), int(tier)) for pool, tier in _KEPT.findall(stage.server.process.text(mark))]
    expect_equal("keys from the pool and from the tier", kept, [(0, chunks)])
    return f"{seen.hit} of {seen.asked} tokens hit, {chunks} keys from the tier, {same}"


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tier", default="fs,resp,s3", help="names of tiers, separated by commas")
    parser.add_argument("--mode", default="auto", help="transfer mode of the engines")
    return parser.parse_args()


def main() -> int:
    arguments = parse()
    names = [name for name in TIERS if name in arguments.tier.split(",")]
    logs = settings.LOGS / time.strftime("vllm-second-tier-%Y%m%d-%H%M%S")
    print(f"logs in {logs}", flush=True)
    report, before, began = Report(), shared_memory.names(), time.monotonic()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="lmcache-vllm-tier-"))
    try:
        run = Run(logs, arguments.mode, {name: TIERS[name](folder) for name in names}, settings.free_port())
        report.run("vllm_fills_all_tiers", fill, run)
        end_all()
        for name in names:
            report.run(f"vllm_hits_from_{name}", serve, run, name)
    finally:
        end_all()
        shutil.rmtree(folder, ignore_errors=True)
        shared_memory.remove_leftovers(before, CacheServer.ports_used)
        print(f"took {time.monotonic() - began:.0f} s", flush=True)
    return report.exit_status


if __name__ == "__main__":
    raise SystemExit(main())
