# lmcache · SPDX-License-Identifier: Apache-2.0
"""One engine's worker as the server sees it: shared memory of its own, stores and loads at random."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass

from lmcache_peers.server import CacheServer
from lmcache_peers.shared_tier.values import History, fill
from lmcache_peers.wire import NoReply, RawClient
from lmcache_peers.wire_values import CHUNK, EVENT, Segment, fresh_number, key, layer, registration

MODEL = "shared-tier/model"
BLOCK_TOKENS = 16
BLOCKS_PER_CHUNK = CHUNK // BLOCK_TOKENS
HIDDEN = 512
PLANES = 2
PIECE = BLOCK_TOKENS * HIDDEN * 2
"""Bytes of one block in one plane (K or V), float16."""
LONGEST = 12
"""Chunks of the longest prompt."""
BLOCKS = LONGEST * BLOCKS_PER_CHUNK + 1
"""Block 0 is vLLM's placeholder, which no load writes."""
LAYER_BYTES = PLANES * BLOCKS * PIECE


@dataclass
class Counts:
    stores: int = 0
    loads: int = 0
    loaded_chunks: int = 0
    misses: int = 0
    failures: int = 0
    reconnects: int = 0


class Worker(threading.Thread):
    """Stores and loads until told to stop; `problems` is what came back wrong."""

    def __init__(self, number: int, server: CacheServer, history: History, prompts: int, seed: int) -> None:
        super().__init__(name=f"worker-{number}")
        self.number = number
        self.counts = Counts()
        self.problems: list[str] = []
        self.stopping = threading.Event()
        self._server = server
        self._history = history
        self._prompts = prompts
        self._chance = random.Random(seed)
        self._instance = fresh_number()
        self._segment = Segment(LAYER_BYTES)
        self._client: RawClient | None = None
        self._sequence = 0

    def run(self) -> None:
        try:
            while not self.stopping.is_set():
                try:
                    self._step()
                except NoReply:
                    self._drop()
        finally:
            self._drop()
            self._segment.remove()

    def _drop(self) -> None:
        self.counts.reconnects += 1
        if self._client is not None:
            self._client.close()
            self._client = None

    def _connected(self) -> RawClient:
        if self._client is None:
            self._client = RawClient(self._server.port, seconds=2.0)
            shape = [PLANES, BLOCKS, BLOCK_TOKENS, 1, HIDDEN]
            stride = [BLOCKS * BLOCK_TOKENS * HIDDEN, BLOCK_TOKENS * HIDDEN, HIDDEN, HIDDEN, 1]
            described = layer(self._segment.name, shape=shape, stride=stride, nbytes=LAYER_BYTES)
            self._client.call("register_kv_cache", *registration(self._instance, [described], MODEL))
        return self._client

    def _step(self) -> None:
        client = self._connected()
        prompt = self._chance.randrange(self._prompts)
        tokens = [prompt + 1_000_000, *range(1, (1 + prompt % LONGEST) * CHUNK)]
        if self._chance.random() < 0.4:
            self._store(client, prompt, tokens)
        else:
            self._load(client, prompt, tokens)

    def _blocks(self, tokens: list[int]) -> list[int]:
        blocks = list(range(1, BLOCKS))
        self._chance.shuffle(blocks)
        return blocks[: len(tokens) // BLOCK_TOKENS]

    def _offset(self, plane: int, block: int) -> int:
        return (plane * BLOCKS + block) * PIECE

    def _store(self, client: RawClient, prompt: int, tokens: list[int]) -> None:
        self._sequence += 1
        self._history.begin(prompt, self.number, self._sequence)
        blocks = self._blocks(tokens)
        for position, block in enumerate(blocks):
            chunk, inner = divmod(position, BLOCKS_PER_CHUNK)
            for plane in range(PLANES):
                data = fill(PIECE, prompt, chunk, inner, plane, self.number, self._sequence)
                self._segment.write(self._offset(plane, block), data)
        wanted = key(tokens, worker=0, model_name=MODEL)
        reply = client.call("store", wanted, self._instance, [blocks], EVENT)
        client.call("end_session", wanted["request_id"])
        self.counts.stores += 1
        if not (isinstance(reply.value, list) and reply.value[1]):
            self.counts.failures += 1
            self._ping(client)

    def _ping(self, client: RawClient) -> None:
        """A server that does not know this worker any more wants it registered again."""
        if client.call("ping", self._instance).value is not True:
            self._drop()

    def _load(self, client: RawClient, prompt: int, tokens: list[int]) -> None:
        asked = key(tokens, worker=None, model_name=MODEL)
        client.call("lookup", asked, 1)
        found = client.call("wait_prefetch_status", asked["request_id"], 1.5).value
        chunks = found if isinstance(found, int) else 0
        self.counts.loads += 1
        if chunks == 0:
            self.counts.misses += 1
            client.call("end_session", asked["request_id"])
            return
        blocks = self._blocks(tokens)[: chunks * BLOCKS_PER_CHUNK]
        end = chunks * CHUNK
        wanted = {**asked, "worker_id": 0, "end": end, "token_ids": tokens[:end]}
        for block in blocks:
            for plane in range(PLANES):
                self._segment.write(self._offset(plane, block), b"\xee" * PIECE)
        reply = client.call("retrieve", wanted, self._instance, [blocks], EVENT, 0)
        client.call("end_session", asked["request_id"])
        if not (isinstance(reply.value, list) and reply.value[1]):
            self.counts.failures += 1
            self._ping(client)
            return
        self._check(prompt, chunks, blocks)

    def _check(self, prompt: int, chunks: int, blocks: list[int]) -> None:
        for chunk in range(chunks):
            mine = blocks[chunk * BLOCKS_PER_CHUNK : (chunk + 1) * BLOCKS_PER_CHUNK]
            pieces = [
                self._segment.read(self._offset(plane, block), PIECE) for block in mine for plane in range(PLANES)
            ]
            problem = self._history.problem(pieces, prompt, chunk, PLANES)
            if problem is not None:
                self.problems.append(f"worker {self.number} prompt {prompt}: {problem}")
        self.counts.loaded_chunks += chunks
