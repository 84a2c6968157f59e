# lmcache · SPDX-License-Identifier: Apache-2.0
"""What only an engine with its own cache shows."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from lmcache_peers.in_process import InProcessStage, reasons_to_be_off
from lmcache_peers.prompts import random_tokens
from lmcache_peers.report import expect, expect_equal
from lmcache_peers.scenarios.stage import expect_cold, expect_hit, expect_same

LENGTH = 40


def preempting(stage: InProcessStage) -> str:
    """More prompts than the engine has blocks for: they preempt each other and get the texts that they got alone."""
    engine = stage.first
    prompts = [random_tokens(seed=80 + index, count=600 + 90 * index) for index in range(8)]
    alone = [engine.complete(prompt, salt="alone", tokens=LENGTH) for prompt in prompts]
    before = engine.preemptions()
    with ThreadPoolExecutor(len(prompts)) as pool:
        for _ in range(2):
            answers = list(pool.map(lambda prompt: engine.complete(prompt, tokens=LENGTH), prompts))
            for one, other in zip(alone, answers, strict=True):
                expect_same(one, other)
    count = engine.preemptions() - before
    expect(count > 0, "nothing was preempted")
    return f"{len(prompts)} prompts twice, {count} preemptions, same texts"


def killed_and_started_again(stage: InProcessStage) -> str:
    """The cache is gone with its engine, its socket is replaced, and the text is the same."""
    engine = stage.first
    prompt = random_tokens(seed=90, count=900)
    known = stage.ask(engine, prompt)
    expect_cold(known, prompt)
    old = stage.sockets()
    expect_equal("sockets", len(old), 1)
    stage.restart(engine, is_killed=True)
    new = stage.sockets()
    expect(len(new) == 1 and new != old, f"sockets {old} before and {new} after")
    again = stage.ask(engine, prompt)
    expect_cold(again, prompt)
    warm = stage.ask(engine, prompt)
    expect_hit(warm, prompt, cached=len(prompt))
    same = expect_same(known.completion, again.completion)
    expect_same(known.completion, warm.completion)
    return f"cold after the restart, then {warm}; {same}"


def restarted_with_its_disk(stage: InProcessStage) -> str:
    """What the disk has is found by the next engine, and gives the same text."""
    engine = stage.first
    prompt = random_tokens(seed=95, count=900)
    known = stage.ask(engine, prompt)
    expect_cold(known, prompt)
    stage.restart(engine)
    again = stage.ask(engine, prompt)
    expect_hit(again, prompt, cached=len(prompt))
    return f"{again}; {expect_same(known.completion, again.completion)}"


def nothing_went_wrong(stage: InProcessStage) -> str:
    """No traceback in the engine's log, and no half of it without a cache."""
    expect_equal("halves without a cache", reasons_to_be_off(stage.first), [])
    expect_equal("tracebacks", stage.first.process.text().count("Traceback"), 0)
    return "no traceback, both halves have the cache"


def wrong_configuration(stage: InProcessStage) -> str:
    """A key that is none: one line in each half, and the engine serves without a cache."""
    engine = stage.first
    prompt = random_tokens(seed=91, count=300)
    first, second = stage.ask(engine, prompt), stage.ask(engine, prompt)
    expect_equal("tokens hit", second.hit, 0)
    reasons = reasons_to_be_off(engine)
    expect_equal("halves that say so", sorted(half for half, _ in reasons), ["scheduler", "worker"])
    expect("chunk_size" in reasons[0][1], f"the line says {reasons[0][1]!r}")
    return f"{expect_same(first.completion, second.completion)}; {reasons[0][1].split(' (')[0]}"
