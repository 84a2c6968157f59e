# lmcache · SPDX-License-Identifier: Apache-2.0
"""Runs the radix caches of several SGLang releases against a cache server and says what holds.

    run-sglang [--releases RELEASE,...] [--only SCENARIO,...] [--ways all|few] [--engine | --engine-only]

Each release runs in a process of its own, with a server of its own. The `lmcache` package is that of
LMCACHE_PEERS_CLIENT, ours when it is not set.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import subprocess
import sys
import threading
import time

from lmcache_peers import settings

OURS = settings.CHECKOUT / "python" / "src"
MINUTES = 10


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--releases", default="", help="releases, separated by commas; all that are set up otherwise")
    parser.add_argument("--only", default="", help="names of scenarios, separated by commas")
    parser.add_argument("--ways", default="all", help="all ways of transfer and page sizes, or a few of them")
    parser.add_argument("--engine", action="store_true", help="also a whole engine of the newest release")
    parser.add_argument("--engine-only", action="store_true", help="that engine and nothing else")
    return parser.parse_args()


def set_up() -> list[str]:
    """The releases in the peers' folder."""
    return sorted(
        (
            entry.name.removeprefix("sglang-")
            for entry in settings.PEERS.glob("sglang-*")
            if (entry / "sglang").is_dir()
        ),
        key=lambda text: [int(part) for part in text.split(".")],
    )


def run(release: str, logs: pathlib.Path, case: list[str], first_on_path: list[str]) -> tuple[int, int]:
    """The verdicts passed and failed of one case of a release; it prints them itself."""
    client = os.environ.get("LMCACHE_PEERS_CLIENT") or str(OURS)
    path = [
        *first_on_path,
        str(settings.PEERS / f"sglang-{release}"),
        str(pathlib.Path(client).absolute()),
        str(settings.CHECKOUT / "peers"),
    ]
    environment = settings.child_environment({"PYTHONPATH": os.pathsep.join(path), "LMCACHE_LOG_LEVEL": "INFO"})
    counts = {"PASS": 0, "FAIL": 0}
    with (logs / f"sglang-{release}-{case[0].rpartition('.')[2]}.log").open("wb") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", *case], stdout=subprocess.PIPE, stderr=log, env=environment, text=True
        )
        watch = threading.Timer(60 * MINUTES, child.kill)
        watch.start()
        assert child.stdout is not None
        for line in child.stdout:
            verdict = line.split(" ", 1)[0]
            if verdict in counts:
                counts[verdict] += 1
                print(line, end="", flush=True)
        if child.wait() != 0 and not counts["FAIL"]:
            counts["FAIL"] += 1
            print(f"FAIL {release} ended with {child.returncode}; see {log.name}", flush=True)
        watch.cancel()
    return counts["PASS"], counts["FAIL"]


def main() -> int:
    arguments = parse()
    logs = settings.LOGS / time.strftime("sglang-%Y%m%d-%H%M%S")
    logs.mkdir(parents=True, exist_ok=True)
    print(f"logs in {logs}", flush=True)
    releases = [name for name in arguments.releases.split(",") if name] or set_up()
    began = time.monotonic()
    passed = failed = 0
    cases: list[tuple[str, list[str], list[str]]] = []
    if not arguments.engine_only:
        case = "lmcache_peers.sglang.case"
        cases = [(release, [case, release, str(logs), arguments.only, arguments.ways], []) for release in releases]
    if arguments.engine or arguments.engine_only:
        boot = settings.CHECKOUT / "peers" / "lmcache_peers" / "sglang" / "boot"
        newest = ["lmcache_peers.sglang.engine_case", releases[-1], str(logs)]
        cases.append((releases[-1], newest, [str(boot), str(settings.PEERS / "sglang-extras")]))
    for case in cases:
        counts = run(case[0], logs, case[1], case[2])
        passed, failed = passed + counts[0], failed + counts[1]
    print(f"took {time.monotonic() - began:.0f} s", flush=True)
    print(f"{passed} passed, {failed} failed", flush=True)
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    raise SystemExit(main())
