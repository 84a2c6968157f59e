# lmcache · SPDX-License-Identifier: Apache-2.0
"""Chooses the cases, starts the server, and prints the verdicts."""

from __future__ import annotations

import argparse
import time

from lmcache_peers import settings, shared_memory
from lmcache_peers.conformance import (
    event_stream,
    hostile_descriptors,
    hostile_frames,
    hostile_payloads,
    hostile_values,
    original_client,
    requests_and_locks,
    well_behaved,
)
from lmcache_peers.conformance.bench import Bench
from lmcache_peers.processes import end_all
from lmcache_peers.report import Report
from lmcache_peers.server import CacheServer, ask_chunk_size
from lmcache_peers.wire import RawClient
from lmcache_peers.wire_values import CHUNK

SCENARIOS = [
    *well_behaved.SCENARIOS,
    *requests_and_locks.SCENARIOS,
    *event_stream.SCENARIOS,
    *original_client.SCENARIOS,
    *hostile_frames.SCENARIOS,
    *hostile_values.SCENARIOS,
    *hostile_descriptors.SCENARIOS,
    *hostile_payloads.SCENARIOS,
]

# Both the original and we behave so; the rest is what we do better.
AGREED = [
    well_behaved.slots_and_bytes,
    well_behaved.results_are_given_once,
    well_behaved.whole_chunks_of_a_prefix,
    well_behaved.salts,
    well_behaved.transfers_without_a_lookup,
    well_behaved.server_driven_bytes,
    requests_and_locks.freed_locks,
    requests_and_locks.clear_spares_locked_objects,
    requests_and_locks.pending_writes_are_not_found,
    requests_and_locks.one_lookup_for_several_readers,
    requests_and_locks.other_models_are_apart,
    event_stream.credit,
    event_stream.newer_subscription,
    original_client.simple_requests,
    original_client.event_stream,
    hostile_frames.any_uid,
    hostile_frames.both_spellings,
    hostile_descriptors.vanished_segment,
]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Checks the answers of a cache server, request by request.")
    parser.add_argument("--port", type=int, help="request port of a running server with --chunk-size 32, --shm-name")
    parser.add_argument("--http-port", type=int, help="HTTP port of that server")
    parser.add_argument("--only", default="", help="names of cases, separated by commas")
    parser.add_argument("--agreed", action="store_true", help="only what the original does as well")
    parser.add_argument("--seconds", type=float, default=3.0, help="how long to wait for an answer")
    arguments = parser.parse_args()
    if (arguments.port is None) != (arguments.http_port is None):
        parser.error("--port and --http-port go together")
    return arguments


def start_server() -> CacheServer:
    logs = settings.LOGS / time.strftime("conformance-%Y%m%d-%H%M%S")
    print(f"logs in {logs}", flush=True)
    server = CacheServer(
        "server",
        logs,
        *("--l1-size-gb", "1", "--eviction-policy", "LRU", "--chunk-size", str(CHUNK)),
        *("--null-block-id", "-1", "--supported-transfer-mode", "auto"),
        *("--shm-name", f"peers_{settings.free_port()}"),
    )
    server.start()
    return server


def revive(server: CacheServer, after: str, report: Report) -> None:
    """Starts the server again if the case has ended or silenced it, so that the next cases mean something."""
    status = server.process.exit_status
    if status is not None:
        report.fail("server", f"ended with {status} in {after}; see {server.log}")
    elif ask_chunk_size(server.port, 5) is None:
        report.fail("server", f"does not answer any more after {after}; see {server.log}")
    else:
        return
    server.kill()
    server.start()


def main() -> int:
    arguments = parse()
    wanted = [name for name in arguments.only.split(",") if name]
    scenarios = [one for one in (AGREED if arguments.agreed else SCENARIOS) if not wanted or one.__name__ in wanted]
    # The original makes a store visible up to some milliseconds after it answered; we have to before.
    delay = 0.1 if arguments.agreed else 0.0
    report, before, server = Report(), shared_memory.names(), None
    try:
        if arguments.port is None:
            server = start_server()
            arguments.port, arguments.http_port = server.port, server.http_port
        for scenario in scenarios:
            with RawClient(arguments.port, arguments.seconds) as client:
                bench = Bench(arguments.port, arguments.http_port, client, arguments.seconds, delay)
                report.run(f"{scenario.__module__.rpartition('.')[2]}.{scenario.__name__}", scenario, bench)
            # A server sees a moment later that a connection is gone, and then gives up what it held.
            time.sleep(0.1)
            if server is not None:
                revive(server, scenario.__name__, report)
    finally:
        end_all()
        if server is not None:
            shared_memory.remove_leftovers(before, CacheServer.ports_used)
    return report.exit_status
