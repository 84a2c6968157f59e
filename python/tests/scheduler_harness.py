# lmcache · SPDX-License-Identifier: Apache-2.0
"""vLLM's own scheduler over our connectors, with workers that compute numbers in place of a model.

What a worker writes for a token depends on all tokens before it, on the layer and on the rank. Before it computes a
token it reads everything that attention would read, so a byte that does not belong there fails the test at once.
"""

from __future__ import annotations

import copy
import json
import pickle
import random
import time
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from vllm.config import (
    CacheConfig,
    DeviceConfig,
    KVEventsConfig,
    KVTransferConfig,
    ModelConfig,
    SchedulerConfig,
    VllmConfig,
)
from vllm.distributed.kv_transfer.kv_connector.utils import KVOutputAggregator
from vllm.distributed.kv_transfer.kv_connector.v1.base import KVConnectorRole
from vllm.sampling_params import SamplingParams
from vllm.utils.hashing import sha256
from vllm.v1.core.kv_cache_utils import get_request_block_hasher, init_none_hash
from vllm.v1.core.sched.async_scheduler import AsyncScheduler
from vllm.v1.core.sched.scheduler import Scheduler
from vllm.v1.kv_cache_interface import (
    FullAttentionSpec,
    KVCacheConfig,
    KVCacheGroupSpec,
    MambaSpec,
    SlidingWindowSpec,
)
from vllm.v1.outputs import KVConnectorOutput, ModelRunnerOutput
from vllm.v1.request import Request, RequestStatus
from vllm.v1.structured_output import StructuredOutputManager

from lmcache.integration.vllm.lmcache_mp_connector import LMCacheMPConnector

BLOCK, HEADS, HEAD_SIZE = 8, 2, 2
VOCABULARY = 1000
SPOILED = VOCABULARY + 1
"""A token that must never come out."""
MODEL = {
    "architectures": ["Qwen3ForCausalLM"],
    "model_type": "qwen3",
    "hidden_size": 64,
    "intermediate_size": 64,
    "num_attention_heads": 4,
    "num_key_value_heads": HEADS,
    "head_dim": 32,
    "num_hidden_layers": 2,
    "vocab_size": VOCABULARY,
    "max_position_embeddings": 4096,
}


def full(block: int = BLOCK) -> FullAttentionSpec:
    return FullAttentionSpec(block_size=block, num_kv_heads=HEADS, head_size=HEAD_SIZE, dtype=torch.float32)


def window(tokens: int, block: int = BLOCK) -> SlidingWindowSpec:
    return SlidingWindowSpec(
        block_size=block, num_kv_heads=HEADS, head_size=HEAD_SIZE, dtype=torch.float32, sliding_window=tokens
    )


def states(block: int = BLOCK) -> MambaSpec:
    """States as large as a page of the attention layers."""
    row = block * HEADS * 2 * HEAD_SIZE
    return MambaSpec(block_size=block, shapes=((row,),), dtypes=(torch.float32,), mamba_cache_mode="align")


@dataclass
class Setup:
    """How the engine is to be."""

    url: str
    folder: Path
    groups: Sequence[Any] = field(default_factory=lambda: [full()])
    blocks: int = 64
    ranks: int = 1
    is_mla: bool = False
    step_tokens: int = 64
    role: str = "kv_both"
    policy: str = "recompute"
    ahead: bool = False
    """Whether a step is scheduled before the one before it has been taken in."""
    prefix_caching: bool = False
    with_events: bool = False
    options: dict[str, Any] = field(default_factory=dict)


def vllm_config(setup: Setup, rank: int = 0) -> Any:
    (setup.folder / "config.json").write_text(json.dumps(MODEL))
    host, port = setup.url.rsplit(":", 1)
    # Tests that are not about the load mode watch loads arrive between steps.
    common = {"mq_timeout": 5, "heartbeat_interval": 1000, "load_mode": "async"}
    options = {"host": host, "port": int(port), **common, **setup.options}
    config = VllmConfig(
        model_config=ModelConfig(
            model=str(setup.folder), skip_tokenizer_init=True, dtype="float32", max_model_len=2048, enforce_eager=True
        ),
        cache_config=CacheConfig(block_size=BLOCK, enable_prefix_caching=setup.prefix_caching),
        scheduler_config=SchedulerConfig(
            max_num_seqs=16,
            max_num_batched_tokens=setup.step_tokens,
            max_model_len=2048,
            enable_chunked_prefill=True,
            is_encoder_decoder=False,
            async_scheduling=setup.ahead,
        ),
        device_config=DeviceConfig("cpu"),
        kv_transfer_config=KVTransferConfig(
            kv_connector="LMCacheMPConnector",
            kv_role=setup.role,
            kv_load_failure_policy=setup.policy,
            kv_connector_extra_config={f"lmcache.mp.{name}": value for name, value in options.items()},
        ),
        kv_events_config=KVEventsConfig(enable_kv_cache_events=True, publisher="null") if setup.with_events else None,
    )
    # What vLLM itself leaves off on this platform.
    config.scheduler_config.async_scheduling = setup.ahead
    config.cache_config.block_size, config.cache_config.num_gpu_blocks = BLOCK, setup.blocks
    if any(isinstance(spec, MambaSpec) for spec in setup.groups):
        config.cache_config.mamba_cache_mode = "align"
    # World sizes above one would start a distributed executor's checks.
    config.parallel_config.world_size = config.parallel_config.tensor_parallel_size = setup.ranks
    config.parallel_config.rank = rank
    if setup.is_mla:
        kind = type(config.model_config)
        config.model_config.__class__ = type("MLAModelConfig", (kind,), {"use_mla": True})
    return config


def cache_config(setup: Setup) -> KVCacheConfig:
    groups = [KVCacheGroupSpec([f"layer.{index}"], spec) for index, spec in enumerate(setup.groups)]
    return KVCacheConfig(setup.blocks, [], groups, kv_cache_layout="LBHNC")


def digest(tokens: Sequence[int]) -> int:
    return zlib.crc32(",".join(map(str, tokens)).encode())


class WrongBytesError(AssertionError):
    """A worker read what was not computed for its tokens."""


class Worker:
    """One rank: its memory, its block tables and its connector."""

    def __init__(self, setup: Setup, rank: int) -> None:
        self.rank = rank
        self._setup = setup
        self.connector: Any = LMCacheMPConnector(vllm_config(setup, rank), KVConnectorRole.WORKER, cache_config(setup))
        self.tensors = {
            # As a view in blocks shows it; the engine's own tensor cannot be shared on a CPU.
            f"layer.{index}": torch.zeros(setup.blocks, 1, spec.block_size, HEADS * 2 * HEAD_SIZE)
            if isinstance(spec, MambaSpec)
            else torch.zeros(setup.blocks, HEADS, spec.block_size, 2 * HEAD_SIZE)
            for index, spec in enumerate(setup.groups)
        }
        self.connector.register_kv_caches(self.tensors)
        self._tables: dict[str, list[list[int]]] = {}
        self._tokens: dict[str, list[int]] = {}
        self.sent: list[str] = []
        self.received: list[str] = []
        self.on_forward: Callable[[], None] = lambda: None
        """Where a device would wait for what was put on its stream."""
        self.spoiled: set[str] = set()
        """Requests that this step computed on bytes of a load that failed."""
        self._writing = ""
        self._is_behind_a_failure = False
        self._ahead: dict[str, dict[int, list[int]]] = {}
        """What the last step generated behind so many tokens; a scheduler that runs ahead does not know it yet."""

    def step(self, output: Any, requests: dict[str, Request]) -> ModelRunnerOutput:
        """One step in vLLM's order; what comes from the scheduler has crossed a process boundary."""
        connector = self.connector
        metadata = pickle.loads(pickle.dumps(output.kv_connector_metadata))
        connector.handle_preemptions(metadata)
        connector.bind_connector_metadata(metadata)
        has_loads = getattr(output, "has_sync_kv_loads", False)
        if has_loads:
            connector.start_load_kv(None)
        self.on_forward()
        self.spoiled = set()
        sampled = self._forward(output, requests)
        if not has_loads:
            connector.start_load_kv(None)
        connector.wait_for_save()
        results = connector.get_transfer_results(output.finished_req_ids)
        kv_output = KVConnectorOutput(
            finished_sending=results.finished_sending,
            finished_recving=results.finished_recving,
            failed_recving=results.failed_recving,
            invalid_block_ids=connector.get_block_ids_with_load_errors(),
            kv_connector_stats=connector.get_kv_connector_stats(),
            kv_cache_events=connector.get_kv_connector_kv_cache_events(),
            kv_connector_worker_meta=connector.build_connector_worker_meta(),
        )
        connector.clear_connector_metadata()
        # A step that was scheduled before the failure was known goes to waste as well.
        behind, self._is_behind_a_failure = self._is_behind_a_failure, bool(
            self._setup.ahead and kv_output.invalid_block_ids
        )
        if self.spoiled and not kv_output.invalid_block_ids and not behind:
            raise WrongBytesError(f"{self.spoiled} read what was not computed, and nobody said so")
        self.sent += results.finished_sending
        self.received += results.finished_recving
        return ModelRunnerOutput(
            req_ids=list(sampled),
            req_id_to_index={name: index for index, name in enumerate(sampled)},
            sampled_token_ids=list(sampled.values()),
            kv_connector_output=kv_output,
        )

    def _forward(self, output: Any, requests: dict[str, Request]) -> dict[str, list[int]]:
        for new in output.scheduled_new_reqs:
            self._tables[new.req_id] = [list(ids) for ids in new.block_ids]
        running = output.scheduled_cached_reqs
        for name, ids in zip(running.req_ids, running.new_block_ids, strict=True):
            if name in running.resumed_req_ids:
                self._tables[name] = [list(group) for group in ids]
            elif ids is not None:
                for table, more in zip(self._tables[name], ids, strict=True):
                    table += more
        computed = {new.req_id: new.num_computed_tokens for new in output.scheduled_new_reqs}
        computed.update(zip(running.req_ids, running.num_computed_tokens, strict=True))
        sampled = {}
        for name, count in output.num_scheduled_tokens.items():
            tokens = list(requests[name].all_token_ids)
            tokens += self._ahead.get(name, {}).get(len(tokens), [])
            end = computed[name] + count
            for layer in range(len(self._setup.groups)):
                try:
                    self._read(name, layer, tokens, computed[name])
                except WrongBytesError:
                    if not output.has_sync_kv_loads and not self._is_behind_a_failure:
                        raise
                    # The device went on without the bytes; the connector has to say so after the step.
                    self.spoiled.add(name)
                self._write(name, layer, tokens, computed[name], end)
            sampled[name] = [digest(tokens) % VOCABULARY] if end == len(tokens) else []
            if name in self.spoiled and sampled[name]:
                sampled[name] = [SPOILED]
            if self._setup.ahead:
                self._ahead[name] = {len(tokens): sampled[name]}
        return sampled

    def _value(self, layer: int, tokens: Sequence[int], position: int) -> float:
        if self._writing in self.spoiled:
            return -1.0
        rank = 0 if self._setup.is_mla else self.rank
        return 1 + digest(tokens[: position + 1]) % (1 << 16) + layer / 4 + rank / 16

    def _slot(self, name: str, layer: int, position: int) -> torch.Tensor:
        size = self._setup.groups[layer].block_size
        block = self._tables[name][layer][position // size]
        if block == 0:
            raise WrongBytesError(f"token {position} of {name} has no block in group {layer}")
        if isinstance(self._setup.groups[layer], MambaSpec):
            return self.tensors[f"layer.{layer}"][block]
        return self.tensors[f"layer.{layer}"][block, :, position % size]

    def _read(self, name: str, layer: int, tokens: Sequence[int], count: int) -> None:
        width = getattr(self._setup.groups[layer], "sliding_window", None)
        if isinstance(self._setup.groups[layer], MambaSpec):
            # Of a state only the last one is read.
            width = 2
        for position in range(0 if width is None else max(0, count + 1 - width), count):
            value = self._value(layer, tokens, position)
            if not bool((self._slot(name, layer, position) == value).all()):
                found = self._slot(name, layer, position).flatten()[0].item()
                raise WrongBytesError(f"token {position} of {name}, layer {layer}: {found} instead of {value}")

    def _write(self, name: str, layer: int, tokens: Sequence[int], start: int, end: int) -> None:
        if isinstance(self._setup.groups[layer], MambaSpec):
            start = end - 1
        self._writing = name
        for position in range(start, end):
            self._slot(name, layer, position).fill_(self._value(layer, tokens, position))
        self._writing = ""


class Engine:
    """The scheduler and its workers, stepped by hand."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        config = vllm_config(setup)
        spans = [spec.block_size for spec in setup.groups]
        kind = AsyncScheduler if setup.ahead else Scheduler
        self.scheduler = kind(
            vllm_config=config,
            kv_cache_config=cache_config(setup),
            structured_output_manager=StructuredOutputManager(config),
            block_size=max(spans),
            hash_block_size=min(spans),
            log_stats=True,
        )
        self.connector: Any = self.scheduler.connector
        self.workers = [Worker(setup, rank) for rank in range(setup.ranks)]
        self.stats: list[Any] = []
        self._aggregator = KVOutputAggregator(setup.ranks)
        init_none_hash(sha256)
        self._hasher = get_request_block_hasher(min(spans), sha256)
        self.requests: dict[str, Request] = {}
        self.errors: set[str] = set()
        self.hits: dict[str, int] = {}
        """Tokens that were there when a request was first computed."""
        self.events: list[Any] = []
        self.on_step: Callable[[Any], None] = lambda _: None
        self._in_flight: list[tuple[Any, Any]] = []

    def add(self, name: str, tokens: Sequence[int], most: int = 4, **more: Any) -> Request:
        extra = more.pop("extra_args", None)
        sampling = SamplingParams(max_tokens=most, ignore_eos=True, extra_args=extra)
        sampling.update_from_generation_config({}, None)
        request = Request(
            request_id=name,
            prompt_token_ids=list(tokens),
            sampling_params=sampling,
            pooling_params=None,
            block_hasher=self._hasher,
            **more,
        )
        self.requests[name] = request
        self.scheduler.add_request(request)
        return request

    def step(self) -> Any:
        output = self.scheduler.schedule()
        self.on_step(output)
        for new in output.scheduled_new_reqs:
            self.hits.setdefault(new.req_id, new.num_computed_tokens)
        results: list[Any] = [worker.step(output, self.requests) for worker in self.workers]
        self._in_flight.append((output, self._aggregator.aggregate(copy.copy(results))))
        if len(self._in_flight) > self.setup.ahead:
            self._take_in(*self._in_flight.pop(0))
        return output

    def _take_in(self, output: Any, merged: Any) -> None:
        for client in self.scheduler.update_from_output(output, merged).values():
            if client.scheduler_stats is not None and client.scheduler_stats.kv_connector_stats:
                self.stats.append(client.scheduler_stats.kv_connector_stats)
            self.errors |= {item.request_id for item in client.outputs if str(item.finish_reason) == "error"}

    def run(self, seconds: float = 10, until: Callable[[], bool] | None = None) -> None:
        """Steps until nothing is left to do, or the condition holds."""
        deadline = time.monotonic() + seconds
        while not until() if until is not None else self.is_busy():
            assert time.monotonic() < deadline, f"the engine does not come to an end: {self.scheduler.requests}"
            if not self.step().total_num_scheduled_tokens:
                time.sleep(0.001)

    def is_busy(self) -> bool:
        # Blocks that wait for their stores keep a request known.
        return bool(self.scheduler.has_requests() or self.scheduler.requests)

    def complete(self, name: str, tokens: Sequence[int], most: int = 4, **more: Any) -> list[int]:
        """Runs one prompt to its end and gives the generated tokens."""
        request = self.add(name, tokens, most, **more)
        self.run()
        return list(request.output_token_ids)

    def abort(self, names: Iterable[str]) -> None:
        self.scheduler.finish_requests(set(names), RequestStatus.FINISHED_ABORTED)

    def free_blocks(self) -> int:
        count: int = self.scheduler.kv_cache_manager.block_pool.get_num_free_blocks()
        return count

    def shutdown(self) -> None:
        for worker in self.workers:
            worker.connector.shutdown()
        self.connector.shutdown()


def expected(tokens: Sequence[int], count: int) -> list[int]:
    """What the engine generates behind a prompt."""
    known = list(tokens)
    for _ in range(count):
        known.append(digest(known) % VOCABULARY)
    return known[len(tokens) :]


def soak(
    engine: Engine, salt: Any, seed: int, count: int, on_request: Callable[[int], None] = lambda _: None
) -> None:
    """Prompts of mixed lengths with common beginnings, some of which are given up; every answer must be right."""
    chance = random.Random(seed)
    shared = [chance.randrange(1000) for _ in range(120)]
    names: list[str] = []
    for index in range(count):
        own = [chance.randrange(1000) for _ in range(chance.randrange(1, 60))]
        name = f"soak-{seed}-{index}"
        engine.add(name, shared[: chance.randrange(120)] + own, most=chance.randrange(1, 40), **salt)
        names.append(name)
        on_request(index)
        for _ in range(chance.randrange(6)):
            engine.step()
        if chance.random() < 0.2:
            engine.abort([chance.choice(names)])
    engine.run(60)
    for name in names:
        request = engine.requests[name]
        tokens = list(request.output_token_ids)
        assert tokens == expected(request.prompt_token_ids, len(tokens)), name
    assert engine.free_blocks() == engine.setup.blocks - 1
    for worker in engine.workers:
        assert len(worker.sent) == len(set(worker.sent))
