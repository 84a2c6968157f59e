# lmcache · SPDX-License-Identifier: Apache-2.0
"""Runs the original's `bench server` client against a cache server, and checks that every checksum came back.

    run-bench-server [--only NAME,...]

Its exit status is 0 even when bytes are wrong, so the verdict comes from its JSON report.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import time
from typing import Any

from lmcache_peers import settings, shared_memory
from lmcache_peers.bench_cases import CASES, Case, Setting
from lmcache_peers.processes import Process, end_all, wait_for
from lmcache_peers.report import Report, expect, expect_equal
from lmcache_peers.server import CacheServer

CASE_SECONDS = 240
PHASES = ("cold_lookup", "cold_store", "warm_lookup", "warm_retrieve")


def start_server(setting: Setting, logs: pathlib.Path) -> CacheServer:
    pool = ["--shm-name", f"peers_{settings.free_port()}"] if setting.shared_pool else []
    server = CacheServer(
        f"server-{setting.name}",
        logs,
        *("--l1-size-gb", "2", "--eviction-policy", "LRU", "--chunk-size", str(setting.chunk_size)),
        *("--null-block-id", "-1", "--supported-transfer-mode", "auto"),
        *pool,
    )
    server.start()
    return server


def run_client(case: Case, start: int, server: CacheServer, logs: pathlib.Path) -> dict[str, Any]:
    """Runs the client program and returns the `metrics` of its report."""
    output = logs / f"{case.name}.json"
    command = [
        *settings.original_command(),
        *("bench", "server", "--mode", "cpu", "--transfer-mode", case.transfer_mode),
        *("--rpc-url", f"tcp://{settings.LOCAL}:{server.port}", "--url", server.url),
        *("--num-tokens", "512", "--interval", "0.02", "--start", str(start), "--end", str(start + case.requests)),
        *(["--kvcache-shape-spec", case.shape] if case.shape else []),
        *case.options,
        *("--format", "json", "--output", str(output), "-q"),
    ]
    client = Process(case.name, command, logs / f"{case.name}.log", settings.child_environment())
    try:
        wait_for(f"the client of {case.name}", CASE_SECONDS, lambda: client.exit_status is not None)
    finally:
        client.end()
    expect_equal("the client's exit status", client.exit_status, 0)
    return dict(json.loads(output.read_text())["metrics"])


def row(case: Case, metrics: dict[str, Any]) -> str:
    """The means of one case in milliseconds and the rates that follow from them."""
    means = [float(metrics[phase][f"{phase}_mean"]) for phase in PHASES]
    store, retrieve = (case.megabytes * 2**20 / 1e6 / max(mean, 1e-6) for mean in (means[1], means[3]))
    return f"{case.name:26}" + "".join(f"{mean:14.2f}" for mean in means) + f"{store:12.2f}{retrieve:12.2f}"


def play(case: Case, start: int, server: CacheServer, logs: pathlib.Path, rows: list[str]) -> str:
    metrics = run_client(case, start, server, logs)
    rows.append(row(case, metrics))
    results = metrics["results"]
    expect_equal("requests", results["total_requests"], case.requests)
    expect(
        results["checksum_ok"] == results["total_requests"] and not results["checksum_fail"],
        f"{results['checksum_ok']} of {results['total_requests']} checksums right, {results['checksum_fail']} wrong",
    )
    expect(server.process.exit_status is None, "the server ended")
    return f"{results['checksum_ok']} of {results['total_requests']} checksums right"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="names of cases, separated by commas")
    wanted = [name for name in parser.parse_args().only.split(",") if name]
    cases = [case for case in CASES if not wanted or case.name in wanted]

    logs = settings.LOGS / time.strftime("bench-%Y%m%d-%H%M%S")
    print(f"logs in {logs}", flush=True)
    report, rows = (
        Report(),
        [
            f"{'means in ms, rates in GB/s':26}"
            + "".join(f"{phase.replace('_', ' '):>14}" for phase in PHASES)
            + f"{'store':>12}{'retrieve':>12}"
        ],
    )
    before = shared_memory.names()
    try:
        for setting in dict.fromkeys(case.setting for case in cases):
            server = start_server(setting, logs)
            for case in cases:
                if case.setting == setting:
                    # Keys say nothing of the layout, so each case has numbers of its own.
                    start = 1000 * (CASES.index(case) + 1)
                    report.run(case.name, play, case, start, server, logs, rows)
            server.stop()
    finally:
        end_all()
        shared_memory.remove_leftovers(before, CacheServer.ports_used)
    print("\n".join(rows), flush=True)
    return report.exit_status


if __name__ == "__main__":
    raise SystemExit(main())
