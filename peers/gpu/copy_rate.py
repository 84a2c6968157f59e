# lmcache · SPDX-License-Identifier: Apache-2.0
"""How fast one large store and one large load are, beside what the bus gives in the same minute.

    copy_rate.py --url URL --http URL [--tokens 32000] [--repeats 5] [--label TEXT] [--no-ceiling] [--fake]

Shapes are Qwen3-8B's: 36 layers of [blocks, 2, 16, 8, 128] bfloat16, 147,456 bytes a token. Stores are timed by the
server's own histogram, because the engine's event fires when its blocks have been read and not when the bytes are in
place; loads both by it and by the event. `both_store` and `both_load` are each direction's rate while both run, with
the milliseconds until each was answered, and `event_opening_us` is the longest time that the server's driver took to open
an event of this process.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import statistics
import time
import urllib.request

import torch

from gpu_layouts import Layout, Part
from gpu_memory import open_memory
from gpu_worker import Worker, new_request, new_tokens

BYTES_PER_TOKEN = 147_456


def fetch(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as reply:
        return str(reply.read().decode())


class Histogram:
    """Sum and count of a throughput histogram over all workers."""

    def __init__(self, http: str, name: str) -> None:
        self._http, self._name = http, name

    def read(self) -> tuple[float, float]:
        text = fetch(self._http + "/metrics")
        totals = []
        for suffix in ("sum", "count"):
            found = re.findall(rf"^{self._name}_{suffix}(?:\{{[^}}]*\}})? ([0-9.e+-]+)", text, re.M)
            totals.append(sum(map(float, found)))
        return totals[0], totals[1]

    def next(self, before: tuple[float, float], seconds: float = 30) -> float:
        """GB/s of the one copy after `before`."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            now = self.read()
            if now[1] > before[1]:
                return (now[0] - before[0]) / (now[1] - before[1])
            time.sleep(0.005)
        raise TimeoutError(f"{self._name}: the copy did not finish")


def ceiling(seconds: float = 3) -> dict[str, float]:
    """One plain pinned copy each way, and both at once."""
    size = 2 << 30
    host, other = (torch.empty(size, dtype=torch.uint8, pin_memory=True) for _ in range(2))
    near, far = (torch.empty(size, dtype=torch.uint8, device="cuda") for _ in range(2))
    up, down = torch.cuda.Stream(), torch.cuda.Stream()

    def best(work, repeats: int = 6) -> float:
        times = []
        for _ in range(repeats):
            torch.cuda.synchronize()
            start = time.perf_counter()
            work()
            torch.cuda.synchronize()
            times.append(time.perf_counter() - start)
        return min(times[1:])

    def both() -> None:
        with torch.cuda.stream(up):
            near.copy_(host, non_blocking=True)
        with torch.cuda.stream(down):
            other.copy_(far, non_blocking=True)

    result = {
        "host_to_device": size / best(lambda: near.copy_(host, non_blocking=True)) / 1e9,
        "device_to_host": size / best(lambda: other.copy_(far, non_blocking=True)) / 1e9,
        "both_in_all": 2 * size / best(both) / 1e9,
    }
    del host, other, near, far
    torch.cuda.empty_cache()
    return result


def wait_for_pinning(http: str, seconds: float = 90) -> None:
    """Waits until the whole pool is page-locked."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        device = json.loads(fetch(http + "/status")).get("transfer_devices", {}).get("cuda", {})
        if device.get("pinnable_bytes") and device["pinned_bytes"] == device["pinnable_bytes"]:
            return
        if device.get("notes"):
            print("notes:", device["notes"], flush=True)
        time.sleep(0.2)
    print("FAILED: the pool is not page-locked", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="tcp://localhost:5555")
    parser.add_argument("--http", default="http://localhost:8080")
    parser.add_argument("--tokens", type=int, default=32_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--label", default="")
    parser.add_argument("--no-ceiling", action="store_true", help="leave the plain copies out")
    parser.add_argument("--fake", action="store_true")
    arguments = parser.parse_args()
    memory = open_memory(arguments.fake)
    layers = 2 if arguments.fake else 36
    blocks = 2 * arguments.tokens // 16 + 100
    part = Part((blocks, 2, 16, 8, 128), layers, torch.bfloat16, 0)
    layout = Layout("rate", "vllm", (part,), {"kv_layout": "NHD"})
    worker = Worker(arguments.url, memory, layout, 700, "copy-rate", blocks)
    worker.register()
    wait_for_pinning(arguments.http)
    limits = {} if arguments.fake or arguments.no_ceiling else ceiling()
    if limits:
        print("CEILING", arguments.label, json.dumps({name: round(value, 1) for name, value in limits.items()}), flush=True)
    chunks = arguments.tokens // worker.chunk_size
    count = chunks * worker.chunk_size
    byte_count = count * 2 * layers * 8 * 128 * 2
    stores = Histogram(arguments.http, "lmcache_mp_l0_l1_store_throughput_GB_per_second")
    loads = Histogram(arguments.http, "lmcache_mp_l0_l1_load_throughput_GB_per_second")
    rng = random.Random(3)
    names = ("store", "load", "load_event", "load_reply_ms", "both", "both_store", "both_load", "both_replies_ms")
    figures: dict[str, list[float]] = {name: [] for name in names}
    previous: tuple[list[int], list[list[int]]] | None = None
    for _ in range(arguments.repeats):
        tokens, lists = new_tokens(rng, count), worker.lists(rng, chunks)
        before = stores.read()
        if not worker.finish(worker.submit_store(tokens, lists, new_request())):
            print("FAILED: the store was refused", flush=True)
            return 1
        figures["store"].append(stores.next(before))
        request = new_request()
        if worker.lookup(tokens, request) != chunks:
            print("FAILED: the stored chunks were not found", flush=True)
            return 1
        before = loads.read()
        memory.settle()
        start = time.perf_counter()
        pending = worker.submit_retrieve(tokens, lists, request)
        pending[0].result(60)
        replied = time.perf_counter()
        worker.finish(pending)
        figures["load_event"].append(byte_count / (time.perf_counter() - start) / 1e9)
        figures["load_reply_ms"].append((replied - start) * 1000)
        figures["load"].append(loads.next(before))
        worker.end(request)
        if previous is not None:
            measured = both_ways(worker, rng, tokens, lists, previous[1], chunks, byte_count, stores, loads)
            for name, value in measured.items():
                figures[name].append(value)
        previous = (tokens, lists)
        urllib.request.urlopen(
            urllib.request.Request(arguments.http + "/cache/clear", b"{}", {"Content-Type": "application/json"}), timeout=30
        ).read()
    medians = {name: round(statistics.median(values), 2) for name, values in figures.items() if values}
    device = json.loads(fetch(arguments.http + "/status")).get("transfer_devices", {}).get("cuda", {})
    medians["event_opening_us"] = device.get("longest_event_opening_us", -1)
    shares = {}
    if limits:
        shares = {
            "store": round(medians["store"] / limits["device_to_host"], 3),
            "load": round(medians["load"] / limits["host_to_device"], 3),
            "load_event": round(medians["load_event"] / limits["host_to_device"], 3),
            "both": round(medians.get("both", 0) / limits["both_in_all"], 3),
        }
    print("RATE", arguments.label, f"{byte_count / 1e9:.2f} GB", json.dumps(medians), "of ceiling", json.dumps(shares), flush=True)
    worker.unregister()
    worker.close()
    memory.close()
    return 0


def both_ways(
    worker: Worker, rng: random.Random, cached: list[int], target: list[list[int]], source: list[list[int]],
    chunks: int, byte_count: int, stores: Histogram, loads: Histogram,
) -> dict[str, float]:
    """A store and a load at once: bytes of both over the time until the later has ended, and each one's rate."""
    request = new_request()
    worker.lookup(cached, request)
    fresh = new_tokens(rng, chunks * worker.chunk_size)
    before = stores.read(), loads.read()
    worker.memory.settle()
    start = time.perf_counter()
    first = worker.submit_store(fresh, source, new_request())
    second = worker.submit_retrieve(cached, target, request)
    second[0].result(60)
    first[0].result(60)
    replied = time.perf_counter() - start
    worker.finish(first)
    worker.finish(second)
    speeds = stores.next(before[0]), loads.next(before[1])
    worker.end(request)
    longest = max(byte_count / (speed * 1e9) for speed in speeds)
    return {
        "both": 2 * byte_count / longest / 1e9,
        "both_store": speeds[0],
        "both_load": speeds[1],
        "both_replies_ms": replied * 1000,
    }


if __name__ == "__main__":
    raise SystemExit(main())
