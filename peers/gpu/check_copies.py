# lmcache · SPDX-License-Identifier: Apache-2.0
"""Random stores and loads over all layouts, read back by torch; killed engines; memory given back.

    check_copies.py rounds --url URL [--rounds 1000] [--fake]
    check_copies.py kills --url URL [--kills 20] [--fake]
    check_copies.py memory --url URL [--fake]

Prints one line a result, `OK …` or `FAILED …`; exit status 1 after a failure.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import time
import traceback

import torch

from gpu_layouts import Layout, Part, all_layouts
from gpu_memory import open_memory
from gpu_worker import Worker, new_request, new_tokens

BLOCKS = 260
MODEL = "check-copies"


def same(first: torch.Tensor, second: torch.Tensor) -> bool:
    """Equality of bytes, whatever the type."""
    one, other = first.contiguous().view(torch.uint8), second.contiguous().view(torch.uint8)
    return bool(torch.equal(one, other))


def one_round(worker: Worker, rng: random.Random) -> str | None:
    """Stores random chunks from random blocks, loads them into others. Returns what was wrong."""
    chunks = rng.randint(1, 4)
    tokens = new_tokens(rng, chunks * worker.chunk_size)
    source = worker.lists(rng, chunks)
    target = worker.lists(rng, chunks, [set(blocks) for blocks in source])
    before = [tensor.clone() for tensor in worker.by_block]
    request = new_request()
    if not worker.finish(worker.submit_store(tokens, source, request)):
        return "the store was refused"
    deadline, hits = time.monotonic() + 10, 0
    while True:
        hits = worker.lookup(tokens, request)
        if hits == chunks or time.monotonic() > deadline:
            break
        worker.end(request)
        request = new_request()
        time.sleep(0.001)
    if hits != chunks:
        return f"{hits} of {chunks} chunks were found"
    skip = rng.choice([0, 0, rng.randrange(0, chunks * worker.chunk_size)])
    if not worker.finish(worker.submit_retrieve(tokens, target, request, skip)):
        return "the retrieve was refused"
    worker.end(request)
    worker.memory.settle()
    return compare(worker, before, source, target, skip)


def compare(
    worker: Worker, before: list[torch.Tensor], source: list[list[int]], target: list[list[int]], skip: int
) -> str | None:
    """Every loaded block must hold its source's bytes, every other block its own."""
    for number, (view, old) in enumerate(zip(worker.by_block, before)):
        which = worker.list_of[number]
        skipped = skip // worker.layout.tokens_per_block
        expected = old.clone()
        device = view.device
        froms = torch.tensor(source[which][skipped:], device=device, dtype=torch.long)
        tos = torch.tensor(target[which][skipped:], device=device, dtype=torch.long)
        expected_bytes, old_bytes = expected.view(torch.uint8), old.view(torch.uint8)
        expected_bytes[tos] = old_bytes[froms]
        if not same(view, expected):
            return f"tensor {number} differs"
    return None


def run_rounds(arguments: argparse.Namespace) -> bool:
    """All layouts in turn."""
    layouts = all_layouts(BLOCKS)
    each = -(-arguments.rounds // len(layouts))
    is_good = True
    rng = random.Random(arguments.seed)
    total = 0
    for number, layout in enumerate(layouts):
        memory = open_memory(arguments.fake)
        started = time.monotonic()
        failures = 0
        try:
            worker = Worker(arguments.url, memory, layout, 1000 + number, f"{MODEL}-{number}", BLOCKS)
            worker.fill(number)
            worker.register()
            for round_number in range(each):
                fault = one_round(worker, rng)
                total += 1
                if fault:
                    failures += 1
                    print(f"FAILED {layout.name}, round {round_number}: {fault}", flush=True)
                    if failures > 2:
                        break
            worker.unregister()
            worker.close()
        except Exception as error:
            failures += 1
            print(f"FAILED {layout.name}: {error!r}\n{traceback.format_exc()}", flush=True)
        finally:
            memory.close()
        if not failures:
            seconds = time.monotonic() - started
            print(f"OK {layout.name}: {each} stores and loads, no difference, {seconds:.1f} s", flush=True)
        is_good = is_good and not failures
    print(f"{'OK' if is_good else 'FAILED'} rounds: {total} stores and loads over {len(layouts)} layouts", flush=True)
    return is_good


def kill_layout(fake: bool) -> tuple[Layout, int]:
    """Large enough that a copy takes tens of milliseconds on a GPU."""
    blocks, layers = (300, 2) if fake else (1100, 24)
    part = Part((blocks, 2, 16, 8, 128), layers, torch.bfloat16, 0)
    return Layout("kill", "vllm", (part,), {"kv_layout": "NHD"}), blocks


def victim(arguments: argparse.Namespace) -> bool:
    """Stores everything at once and waits to be killed."""
    memory = open_memory(arguments.fake)
    layout, blocks = kill_layout(arguments.fake)
    worker = Worker(arguments.url, memory, layout, 5000 + arguments.number, MODEL, blocks)
    worker.fill(arguments.number)
    worker.register()
    memory.settle()
    rng = random.Random(arguments.number)
    chunks = (blocks - 1) // worker.blocks_per_chunk
    tokens = new_tokens(rng, chunks * worker.chunk_size)
    lists = worker.lists(rng, chunks)
    print("ready", flush=True)
    sys.stdin.readline()
    pending = worker.submit_store(tokens, lists, new_request())
    print("submitted", flush=True)
    pending[0].result(60)
    print("answered", flush=True)
    time.sleep(60)
    return True


def start_victim(arguments: argparse.Namespace, number: int) -> subprocess.Popen[str]:
    """An engine that stores when it is told to."""
    command = [sys.executable, __file__, "victim", "--url", arguments.url, "--number", str(number)]
    return subprocess.Popen(
        command + (["--fake"] if arguments.fake else []), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def was_published(keeper: Worker, number: int, blocks: int) -> bool:
    """Whether anything of a killed engine can be found."""
    chunks = (blocks - 1) // keeper.blocks_per_chunk
    tokens = new_tokens(random.Random(number), chunks * keeper.chunk_size)
    request = new_request()
    hits = keeper.lookup(tokens, request)
    keeper.end(request)
    if hits:
        print(f"FAILED kill {number}: {hits} chunks of a killed engine were published", flush=True)
    return hits > 0


def run_kills(arguments: argparse.Namespace) -> bool:
    """Kills engines in the middle of a store; nothing of that store may be found afterwards."""
    memory = open_memory(arguments.fake)
    layout, blocks = kill_layout(True)
    # Lookups need a registration of the model; this one is small, but of the same cells.
    small, _ = kill_layout(arguments.fake)
    part = Part((40, *small.parts[0].shape[1:]), small.parts[0].count, torch.bfloat16, 0)
    keeper = Worker(arguments.url, memory, Layout("kill", "vllm", (part,), layout.hints), 4999, MODEL, 40)
    keeper.register()
    rng = random.Random(arguments.seed)
    _, blocks = kill_layout(arguments.fake)
    ready: list[subprocess.Popen[str]] = []
    for number in range(arguments.kills):
        # Some engines start while others are killed.
        while len(ready) < arguments.at_once and number + len(ready) < arguments.kills:
            ready.append(start_victim(arguments, number + len(ready)))
        child = ready.pop(0)
        assert child.stdin and child.stdout
        if child.stdout.readline().strip() != "ready":
            print(f"FAILED kill {number}: the engine did not start", flush=True)
            for one in [child, *ready]:
                one.kill()
            return False
        child.stdin.write("go\n")
        child.stdin.flush()
        child.stdout.readline()
        time.sleep(rng.random() * 0.02)
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    time.sleep(1.5)
    published = sum(was_published(keeper, number, blocks) for number in range(arguments.kills))
    keeper.unregister()
    keeper.close()
    memory.close()
    print(f"{'FAILED' if published else 'OK'} kills: {arguments.kills} engines, {published} published", flush=True)
    return published == 0


def run_memory(arguments: argparse.Namespace) -> bool:
    """Device memory before the first registration and after the last."""
    memory = open_memory(arguments.fake)
    layout = all_layouts(BLOCKS)[0]
    worker = Worker(arguments.url, memory, layout, 900, f"{MODEL}-memory", BLOCKS)
    worker.fill(1)
    # The first turn loads this process's own kernels, which stay; what must not grow is counted from its end on.
    before = 0
    is_good = True
    for turn in range(4):
        worker.register()
        rng = random.Random(turn)
        fault = one_round(worker, rng)
        during = memory.free_bytes()
        worker.unregister()
        deadline = time.monotonic() + 90
        while memory.free_bytes() < before and time.monotonic() < deadline:
            time.sleep(0.2)
        after = memory.free_bytes()
        if turn == 0:
            time.sleep(3)
            before = after = memory.free_bytes()
        is_good = is_good and fault is None and after >= before
        print(
            f"{'OK' if after >= before and not fault else 'FAILED'} memory, turn {turn}: free before {before >> 20} MiB, "
            f"registered {during >> 20} MiB, after {after >> 20} MiB{', ' + fault if fault else ''}",
            flush=True,
        )
    worker.close()
    memory.close()
    return is_good


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["rounds", "kills", "memory", "victim"])
    parser.add_argument("--url", default="tcp://localhost:5555")
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--at-once", type=int, default=min(10, os.cpu_count() or 1), help="engines that start together")
    parser.add_argument("--number", type=int, default=0)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--fake", action="store_true", help="shared memory for the fake driver instead of CUDA")
    arguments = parser.parse_args()
    run = {"rounds": run_rounds, "kills": run_kills, "memory": run_memory, "victim": victim}[arguments.what]
    return 0 if run(arguments) else 1


if __name__ == "__main__":
    raise SystemExit(main())
