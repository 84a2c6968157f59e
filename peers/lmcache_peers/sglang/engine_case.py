# lmcache · SPDX-License-Identifier: Apache-2.0
"""A whole SGLang engine on processors, with SGLang's own attention for them, against the server.

    engine_case RELEASE LOGS

The model's weights are random and wide: a text computed with cached chunks equals the text computed without only when
every byte of them is right.
"""

from __future__ import annotations

import os
import pathlib
import random
import sys
import time

from lmcache_peers import settings, shared_memory
from lmcache_peers.processes import end_all, wait_for
from lmcache_peers.report import Report, expect, expect_equal
from lmcache_peers.server import CacheServer

CHUNK = 32
HEARTBEAT = 3.0
OUTPUT = 8


class Engine:
    """SGLang's engine with its scheduler in a process of its own."""

    def __init__(self, config: str) -> None:
        import sglang

        self._engine = sglang.Engine(
            model_path=str(settings.MODEL),
            device="cpu",
            dtype="float32",
            attention_backend="torch_native",
            sampling_backend="pytorch",
            grammar_backend="none",
            disable_cuda_graph=True,
            disable_overlap_schedule=True,
            skip_server_warmup=True,
            skip_tokenizer_init=True,
            context_length=512,
            max_total_tokens=2048,
            max_running_requests=4,
            mem_fraction_static=0.1,
            log_level="info",
            enable_lmcache=True,
            lmcache_config_file=config,
        )

    def run(self, tokens: list[int]) -> tuple[list[int], int]:
        """The text, and how many tokens of the prompt were not computed."""
        sampling = {"max_new_tokens": OUTPUT, "temperature": 0, "ignore_eos": True}
        answer = self._engine.generate(input_ids=tokens, sampling_params=sampling)
        return list(answer["output_ids"]), int(answer["meta_info"]["cached_tokens"])

    def forget(self) -> None:
        """Empties the engine's own cache, once it has nothing to do."""
        wait_for("an empty engine", 30, lambda: self._engine.flush_cache().success, pause=0.1)

    def close(self) -> None:
        self._engine.shutdown()


def clear(server: CacheServer) -> None:
    """Empties the server."""
    from lmcache.wire.client import WireClient

    client = WireClient(f"tcp://{settings.LOCAL}:{server.port}")
    client.call("clear", False, timeout=10.0)
    client.close()


def prompt(seed: int, length: int) -> list[int]:
    generator = random.Random(seed)
    return [generator.randrange(10, 1000) for _ in range(length)]


def cold_then_repeat(engine: Engine, server: CacheServer) -> str:
    del server
    tokens = prompt(1, 200)
    text, cached = engine.run(tokens)
    expect_equal("tokens cached for a new prompt", cached, 0)
    engine.forget()
    again, cached = engine.run(tokens)
    expect_equal("text", again, text)
    expect_equal("tokens loaded", cached, 192)
    return f"192 of 200 tokens loaded, equal text {text[:3]}…"


def shared_head(engine: Engine, server: CacheServer) -> str:
    head = prompt(2, 100)
    tokens = head + prompt(4, 90)
    alone, cached = engine.run(tokens)
    expect_equal("tokens cached for a new prompt", cached, 0)
    engine.forget()
    clear(server)
    engine.run(head + prompt(3, 80))
    engine.forget()
    text, cached = engine.run(tokens)
    expect_equal("text", text, alone)
    expect_equal("tokens loaded", cached, 96)
    return "96 tokens of another prompt's head"


def dead_server(engine: Engine, server: CacheServer) -> str:
    tokens = prompt(5, 160)
    text, _ = engine.run(tokens)
    engine.forget()
    server.kill()
    began = time.monotonic()
    again, cached = engine.run(tokens)
    seconds = time.monotonic() - began
    expect_equal("text without a server", again, text)
    expect_equal("tokens loaded without a server", cached, 0)
    server.start()

    def is_back() -> bool:
        engine.forget()
        again, cached = engine.run(tokens)
        expect_equal("text after the restart", again, text)
        return cached >= 128

    wait_for("a hit after the restart", 60, is_back, pause=0.5)
    expect(seconds < 15, f"a prompt without a server took {seconds:.1f} s")
    return f"a prompt without it in {seconds:.1f} s, equal texts, registered again"


def main() -> int:
    release, logs = sys.argv[1], pathlib.Path(sys.argv[2])
    before = shared_memory.names()
    report = Report()
    server = CacheServer(
        f"server-engine-{release}",
        logs,
        *("--l1-size-gb", "1", "--eviction-policy", "LRU", "--chunk-size", str(CHUNK)),
        *("--supported-transfer-mode", "auto", "--shm-name", f"peers_{settings.free_port()}"),
    )
    config = logs / f"sglang-engine-{release}.yaml"
    config.write_text(
        f"mp_host: {settings.LOCAL}\nmp_port: {server.port}\n"
        f"extra_config:\n  lmcache.mp.heartbeat_interval: {HEARTBEAT}\n"
    )
    engines: list[Engine] = []
    try:
        server.start()
        if report.run(f"engine-{release}-start", lambda: engines.append(Engine(str(config))) or ""):
            for scenario in (cold_then_repeat, shared_head, dead_server):
                report.run(f"engine-{release}-{scenario.__name__}", scenario, engines[0], server)
            engines[0].close()
    finally:
        end_all()
        shared_memory.remove_leftovers(before, CacheServer.ports_used)
    return 1 if report.failed else 0


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    # SGLang's hooks for the interpreter's end kill its whole group of processes.
    os._exit(status)
