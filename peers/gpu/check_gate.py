# lmcache · SPDX-License-Identifier: Apache-2.0
"""A load that the device itself waits for, as `lmcache.mp.load_mode` inline does it: right bytes, and how long it takes.

    check_gate.py --url URL --http URL [--tokens 32000] [--rounds 6] [--fake]

In each round blocks are stored and emptied; then the stream is held at the gate with a comparison of every byte behind it, and
the load's answer opens it. The same load is timed with an event that the host polls for beside it. Prints one line, `OK …` or
`FAILED …`; exit status 1 after a failure.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from typing import Any

import msgspec
import torch

from copy_rate import wait_for_pinning
from gpu_layouts import Layout, Part
from gpu_memory import open_memory
from gpu_worker import SECONDS, Worker, new_request, new_tokens
from lmcache.integration.vllm.inline_loads import REPLY_WHEN_LOADED
from lmcache.transfer.stream_gate import CUDAStreamGate


def load(worker: Worker, tokens: list[int], lists: list[list[int]], request: str, configs: dict[str, Any] | None) -> Any:
    """Begins a load; gives the future of its answer and what must live until then."""
    event, handle = worker.memory.event()
    key = msgspec.structs.replace(worker.key(tokens, request, 0), request_configs=configs)
    return worker.client.submit("retrieve", key, worker.instance, lists, handle, 0, timeout=SECONDS), event


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="tcp://localhost:5555")
    parser.add_argument("--http", default="http://localhost:8080")
    parser.add_argument("--tokens", type=int, default=32_000)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--fake", action="store_true")
    arguments = parser.parse_args()
    memory = open_memory(arguments.fake)
    layers = 2 if arguments.fake else 36
    part = Part((arguments.tokens // 16 + 40, 2, 16, 8, 128), layers, torch.bfloat16, 0)
    worker = Worker(arguments.url, memory, Layout("gate", "vllm", (part,), {"kv_layout": "NHD"}), 800, "gate", part.shape[0])
    worker.fill(5)
    worker.register()
    # A store that comes before the pool has its memory leaves chunks out.
    wait_for_pinning(arguments.http)
    if "reply_when_loaded" not in (worker.client.call("get_experimental", timeout=SECONDS) or ()):
        print("FAILED gate: the server does not announce reply_when_loaded", flush=True)
        return 1
    gate = None if arguments.fake else CUDAStreamGate(memory.device)
    chunks = arguments.tokens // worker.chunk_size
    rng = random.Random(2)
    tokens, lists = new_tokens(rng, chunks * worker.chunk_size), worker.lists(rng, chunks)
    if not worker.finish(worker.submit_store(tokens, lists, new_request())):
        print("FAILED gate: the store was refused", flush=True)
        return 1
    blocks = torch.tensor(lists[0], dtype=torch.long, device=memory.device)
    kept = [view[blocks].view(torch.uint8).clone() for view in worker.by_block]
    held_ms, polled_ms, wrong = [], [], 0
    for number in range(1, arguments.rounds + 1):
        # Without the gate first, for the time; then with it.
        for is_held in (False, True):
            for view in worker.by_block:
                view[blocks] = 0
            request = new_request()
            deadline = time.monotonic() + 10
            while worker.lookup(tokens, request) != chunks and time.monotonic() < deadline:
                worker.end(request)
                request = new_request()
                time.sleep(0.01)
            if time.monotonic() >= deadline:
                print("FAILED gate: the stored chunks were not found", flush=True)
                return 1
            memory.settle()
            start = time.perf_counter()
            future, event = load(worker, tokens, lists, request, {REPLY_WHEN_LOADED: True} if is_held else None)
            if is_held and gate is not None:
                if not gate.hold(number):
                    print("FAILED gate: the stream does not wait", flush=True)
                    return 1
                # Answered on the client's own thread, while this one launches work behind the gate.
                future.add_done_callback(lambda _, number=number: gate.raise_to(number))
            elif is_held:
                future.result(SECONDS)
            else:
                handle, _ = future.result(SECONDS)
                memory.wait(bytes(handle))
            same = torch.stack([
                (view[blocks].view(torch.uint8) == old).all() for view, old in zip(worker.by_block, kept, strict=True)
            ])
            launched = time.perf_counter() - start
            handle, is_good = future.result(SECONDS)
            answered = time.perf_counter() - start
            wrong += not (bool(same.all()) and is_good and (not is_held or not handle))
            (held_ms if is_held else polled_ms).append(answered * 1000)
            del event
            worker.end(request)
    text = f"{arguments.rounds} rounds, {wrong} wrong; loaded after {statistics.median(held_ms):.1f} ms behind the gate"
    text += f" (work launched after {launched * 1000:.1f} ms), {statistics.median(polled_ms):.1f} ms with a polled event"
    print(f"{'FAILED' if wrong else 'OK'} gate: {text}", flush=True)
    worker.unregister()
    worker.close()
    memory.close()
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
