# lmcache · SPDX-License-Identifier: Apache-2.0
"""Two engines of one model that share a server."""

from __future__ import annotations

from lmcache_peers.prompts import random_tokens
from lmcache_peers.scenarios.quick_start import BASE
from lmcache_peers.scenarios.stage import Stage, expect_cold, expect_hit, expect_same


def second_hits_what_first_stored(stage: Stage) -> str:
    """A prompt computed by one engine is loaded by the other."""
    prompt = random_tokens(seed=30, count=2017)
    cold = stage.ask(stage.first, prompt)
    expect_cold(cold, prompt)
    warm = stage.ask(stage.second, prompt)
    expect_hit(warm, prompt, cached=len(prompt))
    return f"{warm}; {expect_same(cold.completion, warm.completion)}"


def first_hits_what_second_stored(stage: Stage) -> str:
    """The same the other way round, on top of a prefix of the first."""
    prompt = BASE[:1000] + random_tokens(seed=31, count=1111)
    cold = stage.ask(stage.second, prompt, salt="second")
    expect_cold(cold, prompt)
    warm = stage.ask(stage.first, prompt, salt="second")
    expect_hit(warm, prompt, cached=len(prompt))
    return f"{warm}; {expect_same(cold.completion, warm.completion)}"


SCENARIOS = [second_hits_what_first_stored, first_hits_what_second_stored]
