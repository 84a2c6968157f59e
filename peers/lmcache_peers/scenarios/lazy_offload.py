# lmcache · SPDX-License-Identifier: Apache-2.0
"""One engine that keeps prefixes itself, in few blocks, and stores them when it is about to lose them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from lmcache_peers.processes import wait_for
from lmcache_peers.prompts import random_tokens, whole_chunks
from lmcache_peers.report import expect, expect_equal
from lmcache_peers.scenarios.stage import CHUNK, Stage, expect_same

BLOCKS = 200
"""Of 32 tokens each: two of the prompts and a little more."""
LENGTH = 3115
PROMPT = random_tokens(seed=51, count=LENGTH)
OPTIONS = ("--num-gpu-blocks-override", str(BLOCKS))
SETTINGS = {"lmcache.mp.lazy_offload": True}


def fill_evict_and_hit(stage: Stage) -> str:
    """A prompt is stored when others push it out of the engine, and not before; then it is loaded, with equal text."""
    cold = stage.ask(stage.first, PROMPT)
    kept = stage.ask(stage.first, PROMPT)
    expect_equal("tokens stored while the engine has them", sum(cold.stored + kept.stored), 0)
    expect_equal("tokens hit while the engine has them", kept.hit, 0)
    mark = stage.server.mark()
    for seed in range(52, 55):
        stage.first.complete(random_tokens(seed=seed, count=LENGTH))
    stored = sum(stage.server.stored(mark))
    warm = stage.ask(stage.first, PROMPT)
    expect(warm.hit >= 0.8 * whole_chunks(LENGTH, CHUNK), f"only {warm.hit} tokens hit")
    apart = stage.ask(stage.first, PROMPT, salt="apart")
    expect_equal("tokens hit under another salt", apart.hit, 0)
    expect_same(cold.completion, kept.completion)
    expect_same(cold.completion, apart.completion)
    same = expect_same(cold.completion, warm.completion)
    return f"three others made it store {stored}; then {warm}; {same}"


def many_under_pressure(stage: Stage) -> str:
    """Requests in one batch, more than fit, get the texts that they got alone."""
    prompts = [PROMPT[: 600 + 96 * index] + random_tokens(seed=60 + index, count=700) for index in range(8)]
    alone = [stage.first.complete(prompt, salt="alone") for prompt in prompts]
    preempted = stage.first.preemptions()
    _, hit = stage.first.external_tokens()
    for _ in range(2):
        with ThreadPoolExecutor(len(prompts)) as pool:
            together = list(pool.map(stage.first.complete, prompts))
        for one, two in zip(alone, together, strict=True):
            expect_same(one, two)
    _, hit_after = stage.first.external_tokens()
    return (
        f"{len(prompts)} at once, twice: same texts, {hit_after - hit} tokens hit,"
        f" {stage.first.preemptions() - preempted} preemptions"
    )


def nothing_is_left(stage: Stage) -> str:
    """When the engine has ended, no session and no lease of it is left, though prompts waited to be stored."""
    before = stage.server.status().get("active_sessions")
    stage.first.stop()
    wait_for("the end of all sessions", 10, lambda: not stage.server.status().get("active_sessions"))
    memory = stage.server.memory()
    held = [memory.get(name, 0) for name in ("read_locked_count", "write_locked_count", "staging_object_count")]
    expect_equal("leases", held, [0, 0, 0])
    return f"{before} sessions of waiting prompts before the engine ended, none after, no leases"


SCENARIOS = [fill_evict_and_hit, many_under_pressure, nothing_is_left]
