# lmcache · SPDX-License-Identifier: Apache-2.0
"""What a vLLM connector costs the engine: ours against LMCache 0.5.6's, in one run, over one server.

    benchmark-connector [--tokens N] [--repeats N]

Each measurement runs in a process of its own, the two clients taking turns; the figures are medians over the repeats.
Both clients use the server of LMCACHE_SERVER_COMMAND. Fails when a wanted ratio or limit is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys

from lmcache_peers import settings, shared_memory
from lmcache_peers.processes import end_all
from lmcache_peers.server import CacheServer

CHUNK = 256
OURS, ORIGINAL = "lmcache-swift", "LMCache 0.5.6"

TITLES = {
    "import_package_ms": "import lmcache alone, ms",
    "import_connector_ms": "import of the connector on top of vLLM, ms",
    "import_roles_ms": "  and of what both roles load when they are built",
    "miss_us": "get_num_new_matched_tokens, miss, whole request, µs",
    "miss_first_us": "  of it the first call",
    "miss_threads_us": "  processor time of all threads of the engine",
    "hit_us": "get_num_new_matched_tokens, hit, whole request, µs",
    "hit_first_us": "  of it the first call",
    "hit_threads_us": "  processor time of all threads of the engine",
    "step_us": "step with nothing stored or loaded, µs",
    "step_1_us": "  the same with one request",
    "step_decode_us": "  with 64 whose answers are stored as well",
}
RATIOS = {"import_package_ms": 10, "import_connector_ms": 10, "miss_us": 10, "hit_us": 10}
LIMITS = {"step_us": 20.0}


def measured(client: str, what: str, server: CacheServer, tokens: int) -> dict[str, float]:
    """The figures of one fresh process."""
    environment = settings.child_environment(settings.client_environment() if client == OURS else None)
    peers = str(settings.CHECKOUT / "peers")
    package = environment["PYTHONPATH"] if client == OURS else ""
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [package, peers]))
    environment |= {"LMCACHE_LOG_LEVEL": "ERROR", "VLLM_LOGGING_LEVEL": "ERROR", "VLLM_ALLOW_LONG_MAX_MODEL_LEN": "1"}
    command = [sys.executable, "-m", "lmcache_peers.connector_probe", what, str(server.port), str(tokens)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{client}, {what}: {done.stderr[-3000:]}")
    figures: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return figures


def compare(server: CacheServer, tokens: int, repeats: int) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, list[float]]] = {OURS: {}, ORIGINAL: {}}
    for _ in range(repeats):
        for what in ("package", "connector", "lookup", "step"):
            for client in (ORIGINAL, OURS):
                for name, value in measured(client, what, server, tokens).items():
                    found[client].setdefault(name, []).append(value)
    return {
        client: {name: statistics.median(values) for name, values in table.items()} for client, table in found.items()
    }


def show(figures: dict[str, dict[str, float]], tokens: int) -> int:
    """Prints the table; returns how many targets were missed."""
    missed = 0
    print(f"\n| {tokens} tokens | {ORIGINAL} | {OURS} | ratio | wanted |\n|---|---|---|---|---|")
    for name, title in TITLES.items():
        original, ours = figures[ORIGINAL][name], figures[OURS][name]
        wanted = ""
        if name in RATIOS:
            wanted = f"≥ {RATIOS[name]}"
            missed += original / ours < RATIOS[name]
        if name in LIMITS:
            wanted = f"≤ {LIMITS[name]} µs"
            missed += ours > LIMITS[name]
        print(f"| {title} | {original:.1f} | {ours:.1f} | {original / ours:.1f} | {wanted} |")
    return missed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=int, default=32_000)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    before = shared_memory.names()
    server = CacheServer(
        "server",
        settings.LOGS / "benchmark-connector",
        *("--l1-size-gb", "1", "--eviction-policy", "LRU", "--chunk-size", str(CHUNK)),
        *("--supported-transfer-mode", "auto", "--shm-name", f"peers_{settings.free_port()}"),
    )
    try:
        server.start()
        return 1 if show(compare(server, arguments.tokens, arguments.repeats), arguments.tokens) else 0
    finally:
        end_all()
        shared_memory.remove_leftovers(before, CacheServer.ports_used)


if __name__ == "__main__":
    raise SystemExit(main())
