# lmcache · SPDX-License-Identifier: Apache-2.0
"""One engine with a cache so small that it preempts, prompts of mixed lengths, clients that leave, server restarts.

    run-soak [--requests N]

Every text must be the one that the engine computed alone; in the end no lease is left and the engine still answers.
"""

from __future__ import annotations

import argparse
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from lmcache_peers import settings, shared_memory
from lmcache_peers.engine import Completion, Engine
from lmcache_peers.processes import end_all, wait_for
from lmcache_peers.prompts import random_tokens
from lmcache_peers.report import Report, expect, expect_equal
from lmcache_peers.scenarios.stage import CHUNK, expect_same
from lmcache_peers.server import CacheServer

BLOCKS = 130
RESTARTS = 2
PARALLEL = 8
LENGTH = 40


def prompts() -> list[list[int]]:
    """Twenty prompts of 40 to 1500 tokens, half of them with a common beginning."""
    chance = random.Random(7)
    shared = random_tokens(seed=70, count=800)
    made = []
    for index in range(20):
        own = random_tokens(seed=71 + index, count=chance.randrange(40, 700))
        made.append(shared[: chance.randrange(0, 800)] + own if index % 2 else own)
    return made


def leave_early(engine: Engine, prompt: list[int], seconds: float) -> None:
    """A client that closes its connection while the engine works for it."""
    try:
        engine.complete(prompt, tokens=200, seconds=seconds)
    except OSError:
        return


def leases(server: CacheServer) -> list[str]:
    """What requests still hold."""
    status, memory = server.status(), server.memory()
    counts = {
        "read locks": memory["read_locked_count"],
        "write locks": memory["write_locked_count"],
        "staged objects": memory["staging_object_count"],
        "prefetch jobs": status["active_prefetch_jobs"],
    }
    return [f"{count} {what}" for what, count in counts.items() if count]


def soak(engine: Engine, server: CacheServer, count: int) -> str:
    chosen = prompts()
    known = [engine.complete(prompt, salt="alone", tokens=LENGTH) for prompt in chosen]
    chance = random.Random(8)
    plan = [(chance.randrange(len(chosen)), chance.random() < 0.2) for _ in range(count)]
    done = threading.Semaphore(0)

    def send(entry: tuple[int, bool]) -> tuple[int, Completion] | None:
        index, is_leaving = entry
        try:
            if is_leaving:
                leave_early(engine, chosen[index], 0.05 + 0.3 * chance.random())
                return None
            return index, engine.complete(chosen[index], tokens=LENGTH, seconds=60)
        finally:
            done.release()

    with ThreadPoolExecutor(PARALLEL) as pool:
        answers = [pool.submit(send, entry) for entry in plan]
        for _ in range(RESTARTS):
            for _ in range(count // (RESTARTS + 1)):
                done.acquire()
            server.kill()
            server.start()
        results = [answer.result() for answer in answers]
    finished = [result for result in results if result is not None]
    for index, completion in finished:
        expect_same(known[index], completion)
    wait_for("no lease", 30, lambda: not leases(server), pause=0.2)
    expect(engine.process.exit_status is None, "the engine ended")
    engine.complete(random_tokens(seed=99, count=300), tokens=2)
    text = engine.process.text()
    expect_equal("errors in the engine's log", text.count("Traceback"), 0)
    return f"{len(finished)} texts right, {count - len(finished)} clients left, {engine.preemptions()} preemptions"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=200)
    arguments = parser.parse_args()
    logs = settings.LOGS / time.strftime("soak-%Y%m%d-%H%M%S")
    print(f"logs in {logs}", flush=True)
    before = shared_memory.names()
    server = CacheServer(
        "server",
        logs,
        *("--l1-size-gb", "2", "--eviction-policy", "LRU", "--chunk-size", str(CHUNK)),
        *("--supported-transfer-mode", "auto", "--shm-name", f"peers_{settings.free_port()}"),
    )
    engine = Engine("engine", logs, server.port, options=("--num-gpu-blocks-override", str(BLOCKS)))
    report = Report()
    try:
        server.start()
        engine.start()
        engine.wait_until_ready()
        report.run("soak", soak, engine, server, arguments.requests)
    finally:
        end_all()
        shared_memory.remove_leftovers(before, CacheServer.ports_used)
    return report.exit_status


if __name__ == "__main__":
    raise SystemExit(main())
