# lmcache · SPDX-License-Identifier: Apache-2.0
"""One SGLang release against the server of LMCACHE_SERVER_COMMAND.

    case RELEASE LOGS [SCENARIO,...] [all|few]

SGLang must come first on the path of modules, and the `lmcache` package under test next.
"""

from __future__ import annotations

import os
import pathlib
import random
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

from lmcache_peers import settings, shared_memory
from lmcache_peers.processes import end_all, wait_for
from lmcache_peers.report import Report, expect, expect_equal
from lmcache_peers.server import CacheServer
from lmcache_peers.sglang import absent

CHUNK = 32
HEARTBEAT = 3.0
IN_PROCESS = "in_process"
IN_PROCESS_CONFIG = f"chunk_size: {CHUNK}\nlocal_cpu: true\nuse_layerwise: true\nmax_local_cpu_size: 0.0625\n"
NEVER_MORE = 20.0
"""Seconds that a request may take whatever the server does."""


class Stage:
    """A server, and engines on it."""

    def __init__(self, release: str, logs: pathlib.Path) -> None:
        self.release = release
        self.config = logs / f"sglang-{release}.yaml"
        self.server = CacheServer(
            f"server-{release}",
            logs,
            *("--l1-size-gb", "1", "--eviction-policy", "LRU", "--chunk-size", str(CHUNK)),
            *("--supported-transfer-mode", "auto", "--shm-name", f"peers_{settings.free_port()}"),
            "--separate-object-groups",
        )
        self.engine: Any = None
        self.is_in_process = False
        self._numbers = 0

    def start(self) -> None:
        self.server.start()

    def choose(self, mode: str, page_size: int, kind: str) -> None:
        """Starts an engine of its own model."""
        self.stop_engine()
        if self.server.process.exit_status is not None:
            self.server.start()
        self.is_in_process = mode == IN_PROCESS
        self.config.write_text(
            IN_PROCESS_CONFIG
            if self.is_in_process
            else f"mp_host: {settings.LOCAL}\nmp_port: {self.server.port}\nchunk_size: 256\n"
            f"extra_config:\n  lmcache.mp.heartbeat_interval: {HEARTBEAT}\n  lmcache.mp.mp_transfer_mode: {mode}\n"
        )
        self.engine = make_engine(self.release, str(self.config), page_size, kind, f"peers/{mode}")

    def stop_engine(self) -> None:
        engine, self.engine = self.engine, None
        if engine is not None:
            engine.connector.close()

    def held(self) -> int:
        """Leases, reservations and holds."""
        if self.is_in_process:
            return int(self.engine.connector._link._server.usage()["leased_object_count"])
        memory = self.server.memory()
        return int(memory["read_locked_count"]) + int(memory["write_locked_count"]) + int(memory["held_object_count"])

    def run(self, tokens: list[int], salt: str | None = None) -> int:
        """The tokens found, after a request that computed nothing wrong and did not hang."""
        self._numbers += 1
        began = time.monotonic()
        found, wrong = self.engine.run(f"request-{self._numbers}", tokens, salt)
        seconds = time.monotonic() - began
        expect_equal("positions with wrong values", wrong, 0)
        expect(seconds < NEVER_MORE, f"a request took {seconds:.1f} s")
        return int(found)

    def found_after_eviction(self, tokens: list[int], salt: str | None = None) -> int:
        self.engine.evict_all()
        return self.run(tokens, salt)


def make_engine(release: str, config: str, page_size: int, kind: str, model: str) -> Any:
    from lmcache_peers.sglang.arguments import publish

    changes = {"device": "cpu", "page_size": page_size, "model_path": "peers", "enable_lmcache": True}
    if is_after(release, "0.5.12"):
        changes["lmcache_config_file"] = config
    publish(**changes)
    if is_after(release, "0.5.20"):
        from lmcache_peers.sglang.unified import UnifiedEngine

        return UnifiedEngine(config, page_size, kind, model)
    from lmcache_peers.sglang.radix import RadixEngine

    return RadixEngine(page_size, model)


def is_after(release: str, other: str) -> bool:
    def numbers(text: str) -> list[int]:
        return [int(part) for part in text.split(".")]

    return numbers(release) > numbers(other)


def whole(tokens: int) -> int:
    return tokens // CHUNK * CHUNK


def text(seed: int, length: int) -> list[int]:
    generator = random.Random(seed)
    return [generator.randrange(150_000) for _ in range(length)]


def store_and_load(stage: Stage) -> str:
    tokens = text(1, 100)
    stage.run(tokens)
    expect(stage.run(tokens) >= whole(99), "the engine's own tree did not have the request")
    expect_equal("tokens loaded", stage.found_after_eviction(tokens), whole(99))
    stage.engine.settle()
    return f"{whole(99)} of 100 tokens"


def longer_prompts(stage: Stage) -> str:
    head = text(2, 100)
    stage.run(head)
    # The tree has 70 tokens, or whole pages of them, the cache a chunk more than these begin.
    stage.engine.evict_all()
    stage.run(head[:70])
    longer = head[:96] + text(3, 60)
    found = stage.run(longer)
    expect(found >= whole(96), f"{found} tokens found of 96")
    expect(stage.found_after_eviction(longer) >= whole(155), "the longer prompt was not stored")
    return f"{found} tokens"


def salts_are_apart(stage: Stage) -> str:
    tokens = text(4, 80)
    stage.run(tokens, "one")
    expect_equal("tokens of another salt", stage.found_after_eviction(tokens, "two"), 0)
    if not is_after(stage.release, "0.5.20"):
        expect_equal("tokens of the same salt", stage.found_after_eviction(tokens, "one"), 0)
        return "nothing with a salt is cached"
    expect_equal("tokens of the same salt", stage.found_after_eviction(tokens, "one"), whole(79))
    return ""


def dead_server(stage: Stage) -> str:
    tokens = text(5, 120)
    stage.run(tokens)
    stage.server.kill()
    began = time.monotonic()
    expect_equal("tokens found without a server", stage.found_after_eviction(tokens), 0)
    expect_equal("tokens found without a server", stage.found_after_eviction(text(6, 90)), 0)
    lost = time.monotonic() - began
    stage.server.start()

    def is_back() -> bool:
        tokens = text(random.randrange(1 << 30), 100)
        stage.run(tokens)
        return stage.found_after_eviction(tokens) == whole(99)

    wait_for("a hit after the restart", 20, is_back, pause=0.1)
    return f"two requests in {lost:.2f} s without it; registered again"


def unseen_restart(stage: Stage) -> str:
    tokens = text(7, 100)
    stage.run(tokens)
    stage.server.kill()
    stage.server.start()
    stage.found_after_eviction(tokens)
    wait_for("a hit after the restart", 20, lambda: stage.found_after_eviction(tokens) == whole(99), pause=0.1)
    return ""


def soak(stage: Stage) -> str:
    generator = random.Random(8)
    heads = [text(100 + number, 160) for number in range(6)]
    hits = 0
    for number in range(120):
        if number in (40, 80) and not stage.is_in_process:
            stage.server.kill()
        if number in (45, 85) and not stage.is_in_process:
            stage.server.start()
        tokens = generator.choice(heads)[: generator.randrange(20, 160)] + text(
            1000 + number, generator.randrange(1, 60)
        )
        hits += stage.run(tokens) > 0
    stage.engine.settle()
    stage.engine.evict_all()
    expect_equal("free slots of the engine", stage.engine.free_slots, SLOTS)
    wait_for("no leases", 5, lambda: stage.held() == 0)
    return f"120 requests, {hits} with hits"


SLOTS = 512
SCENARIOS: tuple[Callable[[Stage], str], ...] = (
    store_and_load,
    longer_prompts,
    salts_are_apart,
    dead_server,
    unseen_restart,
    soak,
)


def ways(release: str, is_short: bool) -> list[tuple[str, int, str]]:
    """Modes, page sizes and kinds of pools that the release has; the short list has each mode and kind once."""
    if not is_after(release, "0.5.12"):
        every = [(mode, page, "mha") for mode in (IN_PROCESS, "engine_driven") for page in (1, 16)]
        return [every[0], every[-1]] if is_short else every
    kinds = ["mha", "mla"] if is_after(release, "0.5.20") else ["mha"]
    every = [(mode, page, kind) for mode in ("engine_driven", "lmcache_driven") for page in (1, 16) for kind in kinds]
    windowed = [("lmcache_driven", page, kind) for page, kind in ((16, "window40"), (1, "window40"), (1, "window24"))]
    if not is_after(release, "0.5.20"):
        windowed = []
    return [every[0], every[-1], *windowed[:1]] if is_short else every + windowed


def main() -> int:
    release, logs = sys.argv[1], pathlib.Path(sys.argv[2])
    wanted = [name for name in "".join(sys.argv[3:4]).split(",") if name]
    is_short = sys.argv[4:5] == ["few"]
    warnings.simplefilter("ignore")
    before = shared_memory.names()
    stage = Stage(release, logs)
    os.environ["LMCACHE_CONFIG_FILE"] = str(stage.config)
    absent.stand_in()
    report = Report()
    try:
        stage.start()
        for mode, page_size, kind in ways(release, is_short):
            label = f"{release}-{mode}-{kind}-page{page_size}"
            if not report.run(f"{label}-start", lambda way: stage.choose(*way) or "", (mode, page_size, kind)):
                continue
            for scenario in SCENARIOS:
                if wanted and scenario.__name__ not in wanted:
                    continue
                if stage.is_in_process and scenario in (dead_server, unseen_restart):
                    continue
                report.run(f"{label}-{scenario.__name__}", scenario, stage)
        stage.stop_engine()
    finally:
        end_all()
        shared_memory.remove_leftovers(before, CacheServer.ports_used)
    return 1 if report.failed else 0


if __name__ == "__main__":
    # SGLang registers work for the interpreter's end that waits for a server that is gone by then.
    status = main()
    sys.stdout.flush()
    os._exit(status)
