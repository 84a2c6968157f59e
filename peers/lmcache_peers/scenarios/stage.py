# lmcache · SPDX-License-Identifier: Apache-2.0
"""The server and the engines that the scenarios share, because an engine takes a minute to start."""

from __future__ import annotations

import time
from dataclasses import dataclass

from lmcache_peers.engine import Completion, Engine
from lmcache_peers.prompts import whole_chunks
from lmcache_peers.report import expect, expect_equal
from lmcache_peers.server import CacheServer

CHUNK = 32
LOG_SECONDS = 3


@dataclass
class Seen:
    """One request, and what the cache did for it."""

    completion: Completion
    asked: int
    hit: int
    stored: list[int]
    retrieved: list[int]

    def __str__(self) -> str:
        return (
            f"{self.hit} of {self.asked} tokens hit, stored {sum(self.stored)} in {len(self.stored)},"
            f" retrieved {sum(self.retrieved)}, first token {self.completion.first_token_seconds:.3f} s"
        )


@dataclass
class Stage:
    """One server and up to two engines of the same model."""

    server: CacheServer
    first: Engine
    second: Engine

    def ask(self, engine: Engine, prompt: list[int], salt: str = "", seconds: float = 90) -> Seen:
        """Sends one request and collects what the engine's metrics and the server's log say of it."""
        mark = self.server.mark()
        asked, hit = engine.external_tokens()
        completion = engine.complete(prompt, salt=salt, seconds=seconds)
        asked_after, hit_after = engine.external_tokens()
        seen = Seen(completion, asked=asked_after - asked, hit=hit_after - hit, stored=[], retrieved=[])
        self._collect(seen, prompt, mark)
        return seen

    def _collect(self, seen: Seen, prompt: list[int], mark: int) -> None:
        """Reads the server's log; an engine does not wait for its last store before it answers."""
        found = -(-seen.hit // CHUNK) * CHUNK
        deadline = time.monotonic() + LOG_SECONDS
        while True:
            seen.stored = self.server.stored(mark)
            seen.retrieved = self.server.retrieved(mark)
            complete = sum(seen.stored) + found >= whole_chunks(len(prompt), CHUNK) and sum(seen.retrieved) >= found
            if complete or time.monotonic() > deadline:
                return
            time.sleep(0.02)


def expected_hit(prompt: list[int], cached: int) -> int:
    """What the engine may take of `cached` tokens: whole chunks, and it computes at least the last token."""
    hit = whole_chunks(cached, CHUNK)
    return hit - 1 if hit == len(prompt) else hit


def expect_cold(seen: Seen, prompt: list[int]) -> None:
    """All whole chunks were stored, none was found."""
    expect_equal("tokens hit", seen.hit, 0)
    expect_equal("tokens retrieved", sum(seen.retrieved), 0)
    expect_equal("tokens stored", sum(seen.stored), whole_chunks(len(prompt), CHUNK))


def expect_hit(seen: Seen, prompt: list[int], cached: int) -> None:
    """Exactly the whole chunks among the first `cached` tokens were found, and only the rest was stored."""
    found = whole_chunks(cached, CHUNK)
    expect_equal("tokens hit", seen.hit, expected_hit(prompt, cached))
    expect_equal("tokens retrieved", sum(seen.retrieved), found)
    expect_equal("tokens stored", sum(seen.stored), whole_chunks(len(prompt), CHUNK) - found)


def expect_same(one: Completion, other: Completion) -> str:
    """The texts are the same; returns the words to print."""
    expect(one.same_as(other), f"the texts differ: {one.token_ids} and {other.token_ids}")
    return f"same text (log probabilities within {one.largest_difference(other):.4f})"
