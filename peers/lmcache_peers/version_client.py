# lmcache · SPDX-License-Identifier: Apache-2.0
"""Drives the adapters that vLLM's connector uses, of whichever `lmcache` package is imported, in main memory.

    version_client.py URL CASE:MODE...

Prints `PASS case:mode detail` or `FAIL case:mode why` for each, and `RESTART` once `restart` may replace the server.
Runs in a process of its own, because a process holds one release of the package only.
"""

from __future__ import annotations

import itertools
import os
import random
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

import torch
import zmq
from lmcache.integration.vllm.vllm_multi_process_adapter import (
    LMCacheMPSchedulerAdapter,
    LMCacheMPWorkerAdapter,
    LoadStoreOp,
    ParallelStrategy,
)

# As many heads as tokens in a block: releases differ in which of the two axes comes first.
BLOCK, HEADS, WIDTH, LAYERS, BLOCKS = 16, 16, 8, 3, 64
MODEL = "peers/versions"
SECONDS = 20.0


class Event:
    """What processors have in place of a recorded event."""

    def ipc_handle(self) -> bytes:
        return b"stub_ipc_handle"

    def record(self, *_: Any) -> None: ...

    def synchronize(self) -> None: ...

    def query(self) -> bool:
        return True

    def wait(self, *_: Any) -> None: ...


class Pair:
    """A scheduler and its workers, one for each rank."""

    def __init__(self, url: str, mode: str, model: str, ranks: int = 1, is_latent: bool = False) -> None:
        options = {
            "lmcache.mp.mq_timeout": SECONDS,
            "lmcache.mp.heartbeat_interval": 1.0,
            "lmcache.mp.mp_transfer_mode": mode,
        }
        context = zmq.Context.instance()

        def strategy(rank: int) -> ParallelStrategy:
            return ParallelStrategy(
                mla_only=is_latent, vllm_world_size=ranks, vllm_worker_id=rank, tp_size=ranks, pp_size=1, n_servers=1
            )

        self.scheduler = LMCacheMPSchedulerAdapter([url], context, model, BLOCK, strategy(0), extra_config=options)
        self.workers = [
            LMCacheMPWorkerAdapter(url, context, model, BLOCK, strategy(rank), extra_config=options)
            for rank in range(ranks)
        ]
        shape = (BLOCKS, BLOCK, WIDTH) if is_latent else (2, BLOCKS, BLOCK, HEADS, WIDTH)
        seed = itertools.count(1)
        self.is_latent = is_latent
        self.tensors = [
            {f"layer.{layer}": filled(shape, 1 if is_latent else next(seed)) for layer in range(LAYERS)}
            for _ in self.workers
        ]
        for worker, tensors in zip(self.workers, self.tensors, strict=True):
            worker.register_kv_caches(tensors)
        self.chunk = self.scheduler.num_blocks_per_chunk() * BLOCK
        self._ids = itertools.count()

    def name(self) -> str:
        return f"request-{next(self._ids)}-{random.getrandbits(32):x}"

    def lookup(self, name: str, tokens: list[int], salt: str = "") -> int:
        """The tokens found."""
        self.scheduler.maybe_submit_lookup_request(name, token_ids=tokens, cache_salt=salt)
        found: list[int] = []

        def is_known() -> bool:
            answer = self.scheduler.check_lookup_result(name)
            if answer is not None:
                found.append(int(answer))
            return answer is not None

        wait_for("a lookup", is_known)
        self.scheduler.cleanup_lookup_result(name)
        return found[0]

    def store(self, name: str, tokens: list[int], blocks: list[int], salt: str = "") -> None:
        """Stores whole chunks on every rank that writes."""
        end = len(tokens) // self.chunk * self.chunk
        for worker in self.workers:
            op = LoadStoreOp(token_ids=tokens, block_ids=[blocks], start=0, end=end)
            worker.submit_store_request(name, op, Event(), salt)
        for worker in self.workers:
            announced = {name}

            def has_ended(worker: Any = worker, announced: set[str] = announced) -> bool:
                sent, _ = worker.get_finished(set(announced))
                announced.clear()
                return name in (sent or set())

            wait_for("a store", has_ended)

    def load(self, name: str, tokens: list[int], blocks: list[int], end: int, skip: int = 0, salt: str = "") -> None:
        """Loads on every rank; raises when blocks failed."""
        for worker in self.workers:
            op = LoadStoreOp(token_ids=tokens, block_ids=[blocks], start=0, end=end, skip_first_n_tokens=skip)
            worker.submit_retrieve_request(name, op, Event(), salt)
        for worker in self.workers:
            wait_for("a load", lambda worker=worker: name in (worker.get_finished(set())[1] or set()))
            failed = worker.get_block_ids_with_load_errors()
            expect(not failed, f"blocks {failed} were not loaded")

    def copies(self) -> list[dict[str, torch.Tensor]]:
        return [{name: tensor.clone() for name, tensor in tensors.items()} for tensors in self.tensors]

    def pick(self, tensor: torch.Tensor, blocks: list[int]) -> torch.Tensor:
        return tensor[blocks] if self.is_latent else tensor[:, blocks]

    def close(self) -> None:
        for part in (*self.workers, self.scheduler):
            part.shutdown()


def filled(shape: tuple[int, ...], seed: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def tokens_of(seed: int, count: int) -> list[int]:
    return [random.Random(f"{seed}").randrange(100_000) + index for index in range(count)]


def wait_for(what: str, condition: Callable[[], bool], seconds: float = SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        expect(time.monotonic() < deadline, f"{what} did not end within {seconds} s")
        time.sleep(0.005)


def expect(holds: bool, why: str) -> None:
    if not holds:
        raise AssertionError(why)


def round_trip(pair: Pair, seed: int) -> str:
    """Miss, store, hit, load into other blocks, and the bytes."""
    chunk = pair.chunk
    tokens = tokens_of(seed, 4 * chunk + 5)
    per_chunk = chunk // BLOCK
    sources, targets = list(range(1, 1 + 4 * per_chunk)), list(range(30, 30 + 4 * per_chunk))
    name = pair.name()
    found = pair.lookup(name, tokens)
    expect(found == 0, f"{found} tokens found before anything was stored")
    pair.store(name, tokens, sources)
    pair.scheduler.end_session(name)
    name = found_at_last(pair, tokens, 4 * chunk)
    before = pair.copies()
    pair.load(name, tokens, targets, 4 * chunk, skip=BLOCK)
    for tensors, earlier in zip(pair.tensors, before, strict=True):
        for layer, tensor in tensors.items():
            same = torch.equal(pair.pick(tensor, targets[1:]), pair.pick(earlier[layer], sources[1:]))
            expect(same, f"{layer} differs after the load")
            kept = torch.equal(pair.pick(tensor, targets[:1]), pair.pick(earlier[layer], targets[:1]))
            expect(kept, f"{layer}: a block that was to be left alone was written")
    pair.scheduler.end_session(name)
    return f"{4 * chunk} tokens on {len(pair.workers)} ranks, bytes right"


def found_at_last(pair: Pair, tokens: list[int], count: int, salt: str = "", seconds: float = 5.0) -> str:
    """The request whose lookup finds them all. LMCache's server answers a store before it can be found."""
    deadline = time.monotonic() + seconds
    while True:
        name = pair.name()
        found = pair.lookup(name, tokens, salt)
        if found == count:
            return name
        pair.scheduler.end_session(name)
        expect(time.monotonic() < deadline, f"{found} tokens found of {count} stored")
        time.sleep(0.05)


def prefixes_and_salts(pair: Pair) -> str:
    """Partial hits, leases given back, salts that separate."""
    chunk = pair.chunk
    tokens = tokens_of(77, 3 * chunk)
    pair.store(pair.name(), tokens, list(range(1, 1 + 3 * chunk // BLOCK)), salt="a")
    name = found_at_last(pair, tokens[: 2 * chunk] + tokens_of(78, chunk), 2 * chunk, salt="a")
    pair.scheduler.free_lookup_locks(
        token_ids=tokens[: 2 * chunk], start=0, end=2 * chunk, request_id=name, cache_salt="a"
    )
    pair.scheduler.end_session(name)
    for salt in ("", "b"):
        name = pair.name()
        found = pair.lookup(name, tokens, salt=salt)
        expect(found == 0, f"salt {salt!r} finds {found} tokens of salt 'a'")
        pair.scheduler.end_session(name)
    return "partial hit, leases freed, salts separate"


def restart(pair: Pair) -> str:
    """The server is replaced; the worker registers again without being told."""
    round_trip(pair, 5)
    print("RESTART", flush=True)
    sys.stdin.readline()
    began = time.monotonic()
    attempts = 0
    while True:
        attempts += 1
        tokens = tokens_of(1000 + attempts, 2 * pair.chunk)
        name = pair.name()
        pair.store(name, tokens, list(range(1, 1 + 2 * pair.chunk // BLOCK)))
        found = pair.lookup(name, tokens)
        pair.scheduler.end_session(name)
        if found == 2 * pair.chunk:
            return f"stores and hits again {time.monotonic() - began:.1f} s after the restart"
        expect(time.monotonic() - began < 40, "no store was found again within 40 s of the restart")
        time.sleep(0.5)


CASES: dict[str, Callable[[Pair], str]] = {
    "round-trip": lambda pair: round_trip(pair, 1),
    "two-ranks": lambda pair: round_trip(pair, 2),
    "latent": lambda pair: round_trip(pair, 3),
    "prefixes": prefixes_and_salts,
    "restart": restart,
}


def play(url: str, case: str, mode: str) -> str:
    """One case with a model of its own."""
    model = f"{MODEL}/{case}/{mode}/{random.getrandbits(32):x}"
    pair = Pair(url, mode, model, ranks=2 if case in ("latent", "two-ranks") else 1, is_latent=case == "latent")
    detail = CASES[case](pair)
    pair.close()
    return detail


def main() -> int:
    failed = 0
    for name in sys.argv[2:]:
        case, mode = name.split(":")
        try:
            print(f"PASS {name} {play(sys.argv[1], case, mode)}", flush=True)
        except Exception as error:
            failed += 1
            traceback.print_exc()
            print(f"FAIL {name} {type(error).__name__}: {str(error).splitlines()[0][:300]}", flush=True)
    return failed


if __name__ == "__main__":
    failed = main()
    sys.stdout.flush()
    # Threads of older releases outlive their adapters.
    os._exit(min(failed, 1))
