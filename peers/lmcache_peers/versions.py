# lmcache · SPDX-License-Identifier: Apache-2.0
"""Runs clients of several LMCache releases against the server under test, and our client against their servers.

    run-versions [--only NAME,...] [--servers RELEASE,...] [--cases CASE,...] [--bench]

Each release is installed without its dependencies into a folder of its own; its adapters, as the connector uses
them, then store, look up, load and compare in a process of their own (`version_client.py`). `--bench` also runs each
release's `lmcache bench server`.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import subprocess
import sys
import threading
import time

from lmcache_peers import settings, shared_memory
from lmcache_peers.processes import Process, end_all, wait_for
from lmcache_peers.report import Report, expect
from lmcache_peers.server import CacheServer

RELEASES = ("0.5.6", "0.5.5", "0.5.4", "0.5.3")
"""Clients; the first is that of the environment."""

OURS = "ours"
CASES = (
    *("round-trip:engine_driven", "prefixes:engine_driven", "two-ranks:engine_driven", "latent:engine_driven"),
    *("round-trip:lmcache_driven", "prefixes:lmcache_driven", "two-ranks:lmcache_driven", "latent:lmcache_driven"),
    "restart:engine_driven",
)
MODES = ("engine_driven", "lmcache_driven")
SECONDS = 300
START_SECONDS = 150
"""LMCache's servers import for a minute on a busy machine."""
CLIENT = pathlib.Path(__file__).with_name("version_client.py")


def package(release: str) -> str:
    """The folder that holds a release's `lmcache`; installs it when it is not there."""
    if release == OURS:
        return str(settings.CHECKOUT / "python" / "src")
    if release == RELEASES[0]:
        return ""
    folder = settings.PEERS / "versions" / release
    if not (folder / "lmcache").exists():
        python = settings.ENVIRONMENT / "bin" / "python"
        options = ["-q", "--no-deps", "--target", str(folder)]
        command = [str(python), "-m", "pip", "install", *options, f"lmcache=={release}"]
        subprocess.run(command, check=True, env=settings.child_environment())
    return str(folder)


def make_server(release: str, logs: pathlib.Path) -> CacheServer:
    """A server of LMCache's, or the one under test."""
    program = (str(settings.ENVIRONMENT / "bin" / "python"), "-c", "from lmcache.cli.main import main; main()")
    original = ["env", f"PYTHONPATH={package(release)}", *program, "server"]
    return CacheServer(
        f"server-{release}",
        logs,
        *("--l1-size-gb", "0.5", "--eviction-policy", "LRU", "--chunk-size", "32"),
        # The load program uses block 0, which is no engine's block. Earlier releases take it for one.
        *(("--null-block-id", "-1") if release in (OURS, RELEASES[0]) else ()),
        *("--supported-transfer-mode", "auto", "--shm-name", f"peers_{settings.free_port()}"),
        command=None if release == OURS else original,
    )


def run_client(
    release: str, server: CacheServer, cases: list[str], logs: pathlib.Path, report: Report, label: str
) -> None:
    """Passes the client's verdicts on, under `<label>:<case>`."""
    environment = settings.child_environment({"PYTHONPATH": package(release)})
    url = f"tcp://{settings.LOCAL}:{server.port}"
    client = subprocess.Popen(
        [str(settings.ENVIRONMENT / "bin" / "python"), str(CLIENT), url, *cases],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=(logs / f"client-{label}-{server.port}.log").open("w"),
        env=environment,
        text=True,
    )
    assert client.stdin is not None and client.stdout is not None
    missing = set(cases)
    watchdog = threading.Timer(SECONDS, client.kill)
    watchdog.start()
    try:
        for line in client.stdout:
            word, _, rest = line.strip().partition(" ")
            if word == "RESTART":
                server.kill()
                server.start(START_SECONDS)
                client.stdin.write("\n")
                client.stdin.flush()
            elif word in ("PASS", "FAIL"):
                case, _, detail = rest.partition(" ")
                missing.discard(case)
                (report.pass_ if word == "PASS" else report.fail)(f"{label}:{case}", detail)
        client.wait(30)
    finally:
        watchdog.cancel()
        client.kill()
    for case in sorted(missing):
        report.fail(f"{label}:{case}", f"the client ended with {client.returncode} before it")


def run_bench(release: str, server: CacheServer, mode: str, start: int, logs: pathlib.Path) -> str:
    """The release's own load program, judged by its checksums."""
    output = logs / f"bench-{release}-{mode}.json"
    command = [
        *(str(settings.ENVIRONMENT / "bin" / "python"), "-c", "from lmcache.cli.main import main; main()"),
        *("bench", "server", "--mode", "cpu", "--transfer-mode", mode),
        *("--rpc-url", f"tcp://{settings.LOCAL}:{server.port}", "--url", server.url),
        *("--num-tokens", "128", "--interval", "0.02", "--start", str(start), "--end", str(start + 5)),
        *("--kvcache-shape-spec", "(2,256,16,8,128):float16:2", "--format", "json", "--output", str(output), "-q"),
    ]
    log = logs / f"bench-{release}-{mode}.log"
    environment = settings.child_environment({"PYTHONPATH": package(release)})
    client = Process(f"bench-{release}", command, log, environment)
    try:
        wait_for("the load program", SECONDS, lambda: client.exit_status is not None)
    finally:
        client.end()
    expect(client.exit_status == 0, f"exit status {client.exit_status}: {client.text()[-300:]}")
    results = json.loads(output.read_text())["metrics"]["results"]
    right, total = results["checksum_ok"], results["total_requests"]
    expect(right == total == 5, f"{right} of {total} checksums right")
    return f"{right} checksums right"


def leases(server: CacheServer) -> str:
    """What is left when all clients are gone."""
    locked = [
        (name, value)
        for name, value in server.memory().items()
        if any(word in name for word in ("lock", "lease")) and value
    ]
    expect(not locked, f"left over: {locked}")
    return "nothing leased"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="releases, or `ours`, separated by commas")
    parser.add_argument("--servers", default=",".join(RELEASES), help="servers for `ours`, separated by commas")
    parser.add_argument("--cases", default=",".join(CASES), help="cases, separated by commas")
    parser.add_argument("--bench", action="store_true", help="run each release's load program as well")
    options = parser.parse_args()
    wanted = [name for name in options.only.split(",") if name] or [OURS, *RELEASES]
    cases = options.cases.split(",")

    logs = settings.LOGS / time.strftime("versions-%Y%m%d-%H%M%S")
    print(f"logs in {logs}", flush=True)
    report, before = Report(), shared_memory.names()
    try:
        for release in options.servers.split(",") if OURS in wanted else ():
            # Earlier servers know other descriptors of memory, so only the worker can move bytes.
            able = [case for case in cases if release == RELEASES[0] or case.endswith(":engine_driven")]
            label = f"ours->lmcache-{release}"
            original = make_server(release, logs)
            try:
                original.start(START_SECONDS)
                run_client(OURS, original, able, logs, report, label)
                original.stop()
            except Exception as error:  # noqa: BLE001
                report.fail(label, f"{type(error).__name__}: {error}")
        releases = [name for name in wanted if name != OURS]
        server = make_server(OURS, logs)
        if releases:
            server.start(START_SECONDS)
        for number, release in enumerate(releases):
            run_client(release, server, cases, logs, report, f"lmcache-{release}")
            for second, mode in enumerate(MODES if options.bench else ()):
                # Numbers of its own for each run, so that each of them stores.
                start = 1000 * (2 * number + second + 1)
                report.run(f"lmcache-{release}:bench:{mode}", run_bench, release, server, mode, start, logs)
        if releases:
            report.run("leases", leases, server)
            server.stop()
    finally:
        end_all()
        shared_memory.remove_leftovers(before, CacheServer.ports_used)
    return report.exit_status


if __name__ == "__main__":
    sys.exit(main())
