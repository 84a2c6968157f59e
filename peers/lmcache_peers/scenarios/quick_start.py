# lmcache · SPDX-License-Identifier: Apache-2.0
"""One engine and a server that stays."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from lmcache_peers.prompts import random_tokens, whole_chunks
from lmcache_peers.report import expect, expect_equal
from lmcache_peers.scenarios.stage import CHUNK, Stage, expect_cold, expect_hit, expect_same

LENGTH = 3115
BASE = random_tokens(seed=1, count=LENGTH)
LONGER = BASE[:2000] + random_tokens(seed=2, count=1500)


def cold_then_repeat(stage: Stage) -> str:
    """A prompt sent twice is computed once, and both texts are equal."""
    cold = stage.ask(stage.first, BASE)
    expect_cold(cold, BASE)
    again = stage.ask(stage.first, BASE)
    expect_hit(again, BASE, cached=LENGTH)
    same = expect_same(cold.completion, again.completion)
    return f"cold: {cold}; repeat: {again}; {same}"


def text_depends_on_the_prefix(stage: Stage) -> str:
    """The equality of texts shows something: another first token gives another text, and hits nothing."""
    other = [BASE[0] + 1, *BASE[1:]]
    known = stage.ask(stage.first, BASE)
    changed = stage.ask(stage.first, other)
    expect_cold(changed, other)
    expect(not changed.completion.same_as(known.completion), "another prompt gave the same text")
    return "another first token: no hit, other text"


def shared_prefix(stage: Stage) -> str:
    """A longer prompt hits exactly the whole chunks it shares; its text is that of a run without any."""
    stage.first.complete(BASE)
    warm = stage.ask(stage.first, LONGER)
    expect_hit(warm, LONGER, cached=2000)
    cold = stage.ask(stage.first, LONGER, salt="apart")
    expect_cold(cold, LONGER)
    same = expect_same(warm.completion, cold.completion)
    return f"{warm}; {same} as without a hit"


def salts_are_apart(stage: Stage) -> str:
    """What one salt stored is found under that salt only."""
    stage.first.complete(LONGER, salt="apart")
    own = stage.ask(stage.first, LONGER, salt="apart")
    expect_hit(own, LONGER, cached=len(LONGER))
    foreign = stage.ask(stage.first, LONGER, salt="another")
    expect_cold(foreign, LONGER)
    return f"{expect_same(own.completion, foreign.completion)}, no hit across salts"


def prompt_of_whole_chunks(stage: Stage) -> str:
    """A prompt that is cached to its last token still leaves that one to compute."""
    prompt = random_tokens(seed=3, count=32 * CHUNK)
    cold = stage.ask(stage.first, prompt)
    expect_cold(cold, prompt)
    again = stage.ask(stage.first, prompt)
    expect_hit(again, prompt, cached=len(prompt))
    return f"{again}; {expect_same(cold.completion, again.completion)}"


def prompt_below_one_chunk(stage: Stage) -> str:
    """A prompt shorter than a chunk stores and finds nothing."""
    prompt = random_tokens(seed=4, count=CHUNK - 1)
    first = stage.ask(stage.first, prompt)
    second = stage.ask(stage.first, prompt)
    expect_equal("tokens stored", sum(first.stored + second.stored), 0)
    expect_equal("tokens hit", second.hit, 0)
    return expect_same(first.completion, second.completion)


def chunked_prefill(stage: Stage) -> str:
    """A prompt computed in several steps is stored step by step, each chunk once."""
    prompt = random_tokens(seed=5, count=2500)
    cold = stage.ask(stage.first, prompt)
    expect_cold(cold, prompt)
    expect(len(cold.stored) > 2, f"stored in {len(cold.stored)} steps only")
    again = stage.ask(stage.first, prompt)
    expect_hit(again, prompt, cached=len(prompt))
    return f"stored as {cold.stored}; {again}; {expect_same(cold.completion, again.completion)}"


def many_at_once(stage: Stage) -> str:
    """Requests in one batch, some sharing a prefix, get the texts that they got alone."""
    prompts = [BASE[: 700 + 64 * index] + random_tokens(seed=10 + index, count=333) for index in range(6)]
    alone = [stage.first.complete(prompt, salt="alone") for prompt in prompts]
    with ThreadPoolExecutor(len(prompts)) as pool:
        together = list(pool.map(stage.first.complete, prompts))
        _, hit = stage.first.external_tokens()
        repeated = list(pool.map(stage.first.complete, prompts))
    _, hit_after = stage.first.external_tokens()
    for one, two, three in zip(alone, together, repeated, strict=True):
        expect_same(one, two)
        expect_same(one, three)
    expect_equal("tokens hit by the repeats", hit_after - hit, sum(whole_chunks(len(p), CHUNK) for p in prompts))
    return f"{len(prompts)} at once, twice: same texts, {hit_after - hit} tokens hit"


SCENARIOS = [
    cold_then_repeat,
    text_depends_on_the_prefix,
    shared_prefix,
    salts_are_apart,
    prompt_of_whole_chunks,
    prompt_below_one_chunk,
    chunked_prefill,
    many_at_once,
]
