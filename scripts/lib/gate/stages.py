# lmcache · SPDX-License-Identifier: Apache-2.0
"""What the gate does, in an order in which the cheap things fail first."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Callable, Iterable

from gate import tally
from gate.tally import Tally


@dataclasses.dataclass(frozen=True)
class Stage:
    """One command, how to count what it says, and what must have passed before."""

    name: str
    command: tuple[str, ...]
    limit_minutes: float
    count: Callable[[int, Iterable[str]], Tally] = tally.one
    needs: tuple[str, ...] = ()
    # Its verdicts are worth reading as they come.
    shows_verdicts: bool = False
    is_peer: bool = False
    environment: tuple[tuple[str, str], ...] = ()


RELEASE_PROGRAM = ".build/release/lmcache"
SWIFT_TESTS = tally.swift_tests_without_skips if os.environ.get("LMCACHE_NO_SKIPS") else tally.swift_tests
# Tests of the second tier find real servers; without them they are skipped.
WITH_STORES = () if os.environ.get("LMCACHE_SKIP_PEERS") else ("peers/with-stores",)
# With our own Python package in the engine instead of LMCache's: what one engine can show.
PACKAGE = (("LMCACHE_PEERS_CLIENT", str(pathlib.Path("python/src").absolute())),)
# Both ways of moving bytes, two readers of one shard, and a server that is replaced.
VERSION_CASES = "round-trip:engine_driven,latent:engine_driven,latent:lmcache_driven,restart:engine_driven"
FUZZ_SECONDS = os.environ.get("LMCACHE_FUZZ_SECONDS", "15")

STAGES = (
    Stage("layers", ("scripts/check-layers",), 5),
    Stage("self-test", ("scripts/tidy", "--self-test"), 1),
    Stage("tidy", ("scripts/tidy",), 2),
    Stage("kernels", ("scripts/build-kernels", "--check"), 1),
    Stage("lint", ("scripts/format", "--lint"), 3),
    Stage("build", ("swift", "build", "--build-tests", "-j", "2"), 25),
    Stage("test", (*WITH_STORES, "swift", "test", "--skip-build"), 12, count=SWIFT_TESTS, needs=("build",)),
    Stage("library", ("scripts/test-library",), 6, count=tally.verdicts, needs=("build",)),
    Stage("release", ("swift", "build", "-c", "release", "-j", "2"), 25, needs=("build",)),
    Stage("peers", ("peers/setup-vllm",), 15, is_peer=True),
    Stage(
        "conformance", ("peers/conformance.py",), 6,
        count=tally.verdicts, needs=("release", "peers"), shows_verdicts=True, is_peer=True),
    Stage(
        "l2-interop", ("peers/run-l2-interop",), 8,
        count=tally.verdicts, needs=("release", "peers"), shows_verdicts=True, is_peer=True),
    Stage(
        "second-tier", ("peers/second-tier.py",), 5,
        count=tally.verdicts, needs=("release", "peers"), shows_verdicts=True, is_peer=True),
    Stage(
        "second-tier-redis", (*WITH_STORES, "peers/second-tier.py", "--tier", "resp"), 5,
        count=tally.verdicts, needs=("release", "peers"), shows_verdicts=True, is_peer=True),
    Stage(
        "second-tier-s3", (*WITH_STORES, "peers/second-tier.py", "--tier", "s3"), 5,
        count=tally.verdicts, needs=("release", "peers"), shows_verdicts=True, is_peer=True),
    Stage(
        "shared-tier", (*WITH_STORES, "peers/run-shared-tier", "--seconds", "8", "--kills", "3"), 6,
        count=tally.verdicts, needs=("release", "peers"), shows_verdicts=True, is_peer=True),
    Stage(
        "bench-server", ("peers/run-bench-server",), 10,
        count=tally.verdicts, needs=("release", "peers"), shows_verdicts=True, is_peer=True),
    Stage(
        "vllm", ("peers/run-vllm",), 15,
        count=tally.verdicts, needs=("release", "peers"), shows_verdicts=True, is_peer=True),
    Stage(
        "vllm-tiers", ("peers/run-vllm-second-tier",), 15,
        count=tally.verdicts, needs=("release", "peers"), shows_verdicts=True, is_peer=True, environment=PACKAGE),
    Stage(
        "versions", ("peers/run-versions", "--servers", "0.5.6", "--cases", VERSION_CASES), 10,
        count=tally.verdicts, needs=("release", "peers"), shows_verdicts=True, is_peer=True),
    Stage("python", ("scripts/test-python",), 8, count=tally.pytest, needs=("library", "peers"), is_peer=True),
    Stage("sglang-sources", ("peers/setup-sglang",), 10, needs=("peers",), is_peer=True),
    Stage(
        "sglang", ("peers/run-sglang", "--ways", "few", "--engine"), 15,
        count=tally.verdicts, needs=("release", "library", "sglang-sources"), shows_verdicts=True, is_peer=True),
    # Relinks the release build; last of those that use it.
    Stage("wheel", ("scripts/test-wheel",), 12, count=tally.verdicts, needs=("release",)),
    Stage(
        "vllm-wheel", ("peers/run-wheel",), 20,
        count=tally.verdicts, needs=("wheel", "peers"), shows_verdicts=True, is_peer=True),
    Stage("fuzz", ("scripts/fuzz", "-t", FUZZ_SECONDS), 12, needs=("build",)),
)
