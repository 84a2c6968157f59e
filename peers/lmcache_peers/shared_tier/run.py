# lmcache · SPDX-License-Identifier: Apache-2.0
"""Two servers share a directory, a Redis and a bucket; servers (and stores) are killed while workers store and load.

    run-shared-tier [--tier fs|resp|s3|all] [--seconds N] [--kills N] [--seed N]

Redis and the S3 service are found by the environment that `peers/start-stores` prints and `peers/with-stores` sets.
A tier whose service is not there is a failure.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import random
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict

from lmcache_peers import settings, shared_memory
from lmcache_peers.adapters import TIERS
from lmcache_peers.processes import end_all
from lmcache_peers.report import Report, expect
from lmcache_peers.server import CacheServer
from lmcache_peers.shared_tier.values import History
from lmcache_peers.shared_tier.worker import Counts, Worker

WORKERS_PER_SERVER = 2
PROMPTS = 200


def make_server(number: int, tier: dict[str, object], logs: pathlib.Path) -> CacheServer:
    """A pool of 24 MiB, a sixth of what all prompts need, so that most loads come from the tier."""
    return CacheServer(
        f"shared-{tier['type']}-{number}",
        logs,
        *("--l1-size-gb", "0.0234375", "--eviction-policy", "LRU", "--chunk-size", "32"),
        *("--shm-name", f"shared_{os.getpid()}_{number}", "--l2-adapter", json.dumps(tier)),
    )


def play(
    make_tier: Callable[[pathlib.Path], dict[str, object]],
    folder: pathlib.Path,
    seconds: float,
    kills: int,
    seed: int,
) -> str:
    tier = make_tier(folder)
    history, chance = History(), random.Random(seed)
    servers = [make_server(number, tier, settings.LOGS) for number in range(2)]
    for server in servers:
        server.start()
    workers = [
        Worker(number, servers[number % 2], history, PROMPTS, seed * 1000 + number)
        for number in range(2 * WORKERS_PER_SERVER)
    ]
    for worker in workers:
        worker.start()
    try:
        for _ in range(kills):
            time.sleep(seconds / (kills + 1))
            victim = chance.choice(servers)
            victim.kill()
            victim.start()
        time.sleep(seconds / (kills + 1))
    finally:
        for worker in workers:
            worker.stopping.set()
        for worker in workers:
            worker.join(20)
    problems = [problem for worker in workers for problem in worker.problems]
    expect(not problems, f"{len(problems)} wrong: {'; '.join(problems[:3])}")
    counts = [asdict(worker.counts).values() for worker in workers]
    total = Counts(*(sum(values) for values in zip(*counts, strict=True)))
    expect(total.loaded_chunks > 0, f"nothing was ever loaded: {total}")
    for server in servers:
        expect(server.stop() == 0, f"server on port {server.port} did not end cleanly")
    return (
        f"{total.stores} stores, {total.loads} loads, {total.loaded_chunks} chunks checked, {total.misses} misses, "
        f"{total.failures} failed transfers, {kills} kills"
    )


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tier", choices=[*TIERS, "all"], default="all")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--kills", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    report, before = Report(), shared_memory.names()
    for name in TIERS if given.tier == "all" else [given.tier]:
        folder = pathlib.Path(tempfile.mkdtemp(prefix="lmcache-shared-tier-"))
        try:
            report.run(f"shared_{name}", play, TIERS[name], folder, given.seconds, given.kills, given.seed)
        finally:
            end_all()
            shutil.rmtree(folder, ignore_errors=True)
            shared_memory.remove_leftovers(before, CacheServer.ports_used)
    return report.exit_status


if __name__ == "__main__":
    raise SystemExit(main())
