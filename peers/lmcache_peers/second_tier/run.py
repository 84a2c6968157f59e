# lmcache · SPDX-License-Identifier: Apache-2.0
"""Chooses the cases and prints the verdicts."""

from __future__ import annotations

import argparse
import json
import time

from lmcache_peers import settings, shared_memory
from lmcache_peers.adapters import TIERS
from lmcache_peers.processes import end_all
from lmcache_peers.report import Report
from lmcache_peers.second_tier.scenarios import IN_A_DIRECTORY, SCENARIOS
from lmcache_peers.second_tier.tiered import Tiered
from lmcache_peers.server import CacheServer


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Checks a cache server with a second tier, byte by byte.")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--adapter", type=json.loads, help="the --l2-adapter object; a directory when left out")
    which.add_argument("--tier", choices=list(TIERS), help="a directory, or a service that with-stores started")
    parser.add_argument("--only", default="", help="names of cases, separated by commas")
    return parser.parse_args()


def main() -> int:
    arguments = parse()
    wanted = [name for name in arguments.only.split(",") if name]
    logs = settings.LOGS / time.strftime("second-tier-%Y%m%d-%H%M%S")
    print(f"logs in {logs}", flush=True)
    report, before = Report(), shared_memory.names()
    # A directory is the one that the cases themselves look into.
    named = TIERS[arguments.tier](logs) if arguments.tier not in (None, "fs") else None
    tiered = Tiered(logs, arguments.adapter or named)
    try:
        for scenario in SCENARIOS:
            if scenario in IN_A_DIRECTORY and not tiered.has_directory:
                print(f"left out: {scenario.__name__}, which needs a directory", flush=True)
            elif not wanted or scenario.__name__ in wanted:
                tiered.clear()
                report.run(scenario.__name__, scenario, tiered)
    finally:
        end_all()
        shared_memory.remove_leftovers(before, CacheServer.ports_used)
    return report.exit_status
