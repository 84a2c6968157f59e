# lmcache · SPDX-License-Identifier: Apache-2.0
"""The server is killed under a live engine and started again."""

from __future__ import annotations

import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from lmcache_peers.engine import HEARTBEAT_SECONDS, Completion, Engine
from lmcache_peers.processes import Late, wait_for
from lmcache_peers.prompts import random_tokens
from lmcache_peers.report import expect
from lmcache_peers.scenarios.stage import Stage, expect_cold, expect_hit, expect_same

# A request may wait for one heartbeat to fail and for the next one to succeed, no more.
REQUEST_SECONDS = 45
RESUME_SECONDS = 60

_DEGRADED = "entering degraded mode"
_RESUMED = "resuming normal operation"


def wait_until_caching(stage: Stage, engine: Engine, seed: int) -> float:
    """Sends new prompts twice until the second one hits; returns how long that took."""
    began = time.monotonic()
    while True:
        prompt = random_tokens(seed, count=200)
        seed += 1
        engine.complete(prompt, tokens=2, seconds=REQUEST_SECONDS)
        if stage.ask(engine, prompt, seconds=REQUEST_SECONDS).hit:
            return time.monotonic() - began
        if time.monotonic() - began > RESUME_SECONDS:
            raise Late(f"caching did not resume within {RESUME_SECONDS} s")
        time.sleep(1)


def _works_again(stage: Stage, seed: int) -> str:
    prompt = random_tokens(seed, count=1500)
    cold = stage.ask(stage.first, prompt)
    expect_cold(cold, prompt)
    warm = stage.ask(stage.first, prompt)
    expect_hit(warm, prompt, cached=len(prompt))
    return expect_same(cold.completion, warm.completion)


def missed_ping(stage: Stage) -> str:
    """The server is away for longer than a heartbeat: requests are computed, and caching comes back."""
    prompt = random_tokens(seed=40, count=1500)
    known = stage.ask(stage.first, prompt)
    mark = stage.first.process.mark()
    stage.server.kill()
    log = stage.first.process
    wait_for("the engine's degraded mode", 6 * HEARTBEAT_SECONDS, lambda: log.text(mark).count(_DEGRADED) >= 2)
    alone = stage.first.complete(prompt, seconds=REQUEST_SECONDS)
    same = expect_same(known.completion, alone)
    stage.server.start()
    wait_for("the engine's recovery", RESUME_SECONDS, lambda: log.text(mark).count(_RESUMED) >= 2)
    resumed = wait_until_caching(stage, stage.first, seed=4000)
    works = _works_again(stage, seed=41)
    return f"without a server {alone.total_seconds:.1f} s, {same}; caching resumed after {resumed:.1f} s, {works}"


def between_two_pings(stage: Stage) -> str:
    """The server is killed and back at once: nothing hangs, and caching comes back by itself."""
    prompt = random_tokens(seed=50, count=1500)
    known = stage.ask(stage.first, prompt)
    stage.server.kill()
    stage.server.start()
    first = stage.first.complete(prompt, seconds=REQUEST_SECONDS)
    same = expect_same(known.completion, first)
    resumed = wait_until_caching(stage, stage.first, seed=5000)
    works = _works_again(stage, seed=51)
    return (
        f"server back after {stage.server.ready_seconds:.2f} s, next request {first.total_seconds:.1f} s, {same};"
        f" caching resumed after {resumed:.1f} s, {works}"
    )


def lookup_lost_in_the_crash(stage: Stage) -> str:
    """A lookup that reached the server's machine but not its mind: the request is computed all the same.

    Several times, because a ping that happens to be lost with it would set the engine free.
    """
    prompt = random_tokens(seed=55, count=1500)
    known = stage.ask(stage.first, prompt)
    seconds = []
    for _ in range(3):
        stage.server.process.kill(signal.SIGSTOP)
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(stage.first.complete, prompt, seconds=REQUEST_SECONDS)
            time.sleep(0.4)
            stage.server.kill()
            stage.server.start()
            completion = answer.result(REQUEST_SECONDS + 5)
        expect_same(known.completion, completion)
        seconds.append(f"{completion.total_seconds:.1f} s")
        wait_until_caching(stage, stage.first, seed=5500)
    return f"answered after {', '.join(seconds)}, same text"


def under_load(stage: Stage) -> str:
    """The server is killed and restarted while requests run: each of them ends, with the right text."""
    return _restart_under_load(stage, stage.second)


def under_load_engine_driven(stage: Stage) -> str:
    """The same with the engine that moves the bytes itself.

    Its worker waits for each answer in the middle of a step, up to `lmcache.mp.mq_timeout` (300 s). An answer that is
    lost with the server cannot be made good by the next one, so this is a matter of luck, and not part of a whole run.
    """
    return _restart_under_load(stage, stage.first)


def _restart_under_load(stage: Stage, engine: Engine) -> str:
    prompts = [random_tokens(seed=60 + index, count=900) for index in range(4)]
    known = [engine.complete(prompt, salt="known") for prompt in prompts]
    answers: list[tuple[int, Completion]] = []
    problems: list[str] = []
    over = threading.Event()

    def send(index: int) -> None:
        while not over.is_set():
            try:
                answers.append((index, engine.complete(prompts[index], seconds=REQUEST_SECONDS)))
            except Exception as error:  # noqa: BLE001
                problems.append(f"{type(error).__name__}: {error}")
                return

    threads = [threading.Thread(target=send, args=(index,), daemon=True) for index in range(len(prompts))]
    for thread in threads:
        thread.start()
    for _ in range(3):
        time.sleep(1.5)
        stage.server.kill()
        stage.server.start()
    time.sleep(3)
    over.set()
    for thread in threads:
        thread.join(REQUEST_SECONDS + 5)
    expect(not problems, f"{len(problems)} of {len(answers) + len(problems)} requests failed: {problems[:1]}")
    expect(not any(thread.is_alive() for thread in threads), "a request hangs")
    for index, answer in answers:
        expect_same(known[index], answer)
    longest = max(answer.total_seconds for _, answer in answers)
    resumed = wait_until_caching(stage, engine, seed=6000)
    return (
        f"3 restarts under {len(answers)} requests: same texts, the longest took {longest:.1f} s;"
        f" caching resumed after {resumed:.1f} s"
    )


FIRST_ENGINE = [missed_ping, between_two_pings, lookup_lost_in_the_crash]
SECOND_ENGINE = [under_load]
ON_DEMAND = [under_load_engine_driven]
