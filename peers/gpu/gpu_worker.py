# lmcache · SPDX-License-Identifier: Apache-2.0
"""One engine's worker and scheduler in one process, over the package's own wire client."""

from __future__ import annotations

import itertools
import random
from typing import Any

import torch

from gpu_layouts import Layout, allocate, views
from gpu_memory import CUDAMemory, FakeMemory
from lmcache.wire.client import WireClient
from lmcache.wire.types import CacheKey, EngineGroupInfo

SECONDS = 60.0
_numbers = itertools.count(1)


class Worker:
    """Registered memory of one layout."""

    def __init__(
        self, url: str, memory: CUDAMemory | FakeMemory, layout: Layout, instance: int, model: str, blocks: int
    ) -> None:
        self.client = WireClient(url)
        self.memory = memory
        self.layout = layout
        self.instance = instance
        self.model = model
        self.blocks = blocks
        self.chunk_size = int(self.client.call("get_chunk_size", timeout=SECONDS))
        self.blocks_per_chunk = self.chunk_size // layout.tokens_per_block
        self.tensors: list[torch.Tensor] = []
        self.by_block: list[torch.Tensor] = []
        self.list_of: list[int] = []
        for number, part in enumerate(layout.parts):
            for tensor in allocate(part, memory.empty):
                self.tensors.append(tensor)
                self.by_block.append(views(tensor, part))
                self.list_of.append(number if layout.lists > 1 else 0)

    def register(self) -> None:
        """Hands the memory over."""
        groups = [EngineGroupInfo(**group) for group in self.layout.groups]
        self.client.call(
            "register_kv_cache", self.instance, self.memory.describe(self.tensors), self.model, 1, self.layout.engine,
            self.layout.hints, groups, timeout=SECONDS,
        )

    def unregister(self) -> None:
        """Takes it back."""
        self.client.call("unregister_kv_cache", self.instance, timeout=SECONDS)

    def close(self) -> None:
        """Ends the connection."""
        self.client.close()

    def fill(self, seed: int) -> None:
        """Random bytes everywhere."""
        generator = torch.Generator(device=self.memory.device).manual_seed(seed)
        for tensor in self.tensors:
            data = tensor.view(torch.uint8).view(-1)
            # In pieces: a random number takes more room than its byte.
            for start in range(0, data.numel(), 1 << 26):
                piece = data[start : start + (1 << 26)]
                piece.copy_(
                    torch.randint(0, 256, piece.shape, dtype=torch.uint8, device=piece.device, generator=generator)
                )

    def key(self, tokens: list[int], request: str, worker: int | None, start: int = 0) -> CacheKey:
        """A key over all of the tokens from `start` on."""
        return CacheKey(self.model, 1, worker, tokens, start, len(tokens), request, "", None, 0 if worker is not None else 1)

    def submit_store(self, tokens: list[int], lists: list[list[int]], request: str) -> tuple[Any, Any]:
        """Begins a store. Returns its future and what must live until it is answered."""
        event, handle = self.memory.event()
        future = self.client.submit(
            "store", self.key(tokens, request, 0), self.instance, lists, handle, timeout=SECONDS
        )
        return future, event

    def submit_retrieve(self, tokens: list[int], lists: list[list[int]], request: str, skip: int = 0) -> tuple[Any, Any]:
        """Begins a retrieve."""
        event, handle = self.memory.event()
        future = self.client.submit(
            "retrieve", self.key(tokens, request, 0), self.instance, lists, handle, skip, timeout=SECONDS
        )
        return future, event

    def finish(self, pending: tuple[Any, Any]) -> bool:
        """Waits for the answer and its event."""
        handle, is_good = pending[0].result(SECONDS)
        if is_good:
            self.memory.wait(bytes(handle))
        return bool(is_good)

    def lookup(self, tokens: list[int], request: str) -> int:
        """Chunks that are cached; they are kept until the request's end."""
        self.client.call("lookup", self.key(tokens, request, None), 1, timeout=SECONDS)
        return int(self.client.call("wait_prefetch_status", request, 10.0, timeout=SECONDS))

    def end(self, request: str) -> None:
        """Ends a request."""
        self.client.call("end_session", request, timeout=SECONDS)

    def lists(self, rng: random.Random, chunks: int, taken: list[set[int]] | None = None) -> list[list[int]]:
        """Random blocks without the first, in no order, for each list."""
        result = []
        for number in range(self.layout.lists):
            free = [block for block in range(1, self.blocks) if not taken or block not in taken[number]]
            result.append(rng.sample(free, chunks * self.blocks_per_chunk))
        return result


def new_request() -> str:
    """A request id of this process."""
    return f"r{next(_numbers)}"


def new_tokens(rng: random.Random, count: int) -> list[int]:
    """Tokens that no other prompt begins with."""
    return [rng.randrange(1 << 31) for _ in range(count)]
