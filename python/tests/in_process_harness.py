# lmcache · SPDX-License-Identifier: Apache-2.0
"""vLLM's own scheduler over the in-process connector: loads before the forward pass, several steps in flight.

A load that fails leaves its blocks as they were. What is computed from such blocks is wrong on every rank, as a
collective operation would make it, until it is computed again; everything else is read and compared.
"""

from __future__ import annotations

import copy
import pickle
import random
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import scheduler_harness
import torch
from scheduler_harness import BLOCK, HEAD_SIZE, HEADS, VOCABULARY, Setup, WrongBytesError, cache_config, digest
from vllm.config import KVTransferConfig
from vllm.distributed.kv_transfer.kv_connector.utils import KVOutputAggregator
from vllm.distributed.kv_transfer.kv_connector.v1.base import KVConnectorRole
from vllm.sampling_params import SamplingParams
from vllm.utils.hashing import sha256
from vllm.v1.core.kv_cache_utils import get_request_block_hasher, init_none_hash
from vllm.v1.core.sched.scheduler import Scheduler
from vllm.v1.outputs import KVConnectorOutput, ModelRunnerOutput
from vllm.v1.request import Request, RequestStatus
from vllm.v1.structured_output import StructuredOutputManager

from lmcache.integration.vllm.lmcache_connector_v1 import LMCacheConnectorV1Dynamic

CHUNK = 16
WRONG = -7.0


@dataclass
class InProcessSetup(Setup):
    """How the engine is to be. `failing` is the share of loads that fail on one rank."""

    in_flight: int = 1
    failing: float = 0.0
    seed: int = 0


def vllm_config(setup: InProcessSetup, rank: int = 0) -> Any:
    config = scheduler_harness.vllm_config(setup, rank)
    options = {"chunk_size": CHUNK, "max_local_cpu_size": 0.05, **setup.options}
    config.kv_transfer_config = KVTransferConfig(
        kv_connector="LMCacheConnectorV1Dynamic",
        kv_connector_module_path="lmcache.integration.vllm.lmcache_connector_v1",
        engine_id=f"engine {setup.folder}",
        kv_role=setup.role,
        kv_load_failure_policy=setup.policy,
        kv_connector_extra_config={f"lmcache.{name}": value for name, value in options.items()},
    )
    config.scheduler_config.disable_hybrid_kv_cache_manager = True
    return config


class Worker:
    """One rank: its memory and its connector. `spoiled` are blocks with wrong bytes, the same on all ranks."""

    def __init__(self, setup: InProcessSetup, rank: int, spoiled: set[int]) -> None:
        self.rank, self.spoiled = rank, spoiled
        self.failures = 0
        self.sent: list[str] = []
        self.connector: Any = LMCacheConnectorV1Dynamic(
            vllm_config(setup, rank), KVConnectorRole.WORKER, cache_config(setup)
        )
        self.tensor = torch.zeros(setup.blocks, HEADS, BLOCK, 2 * HEAD_SIZE)
        self.connector.register_kv_caches({"layer.0": self.tensor})
        self.half: Any = self.connector._lmcache_engine._worker
        assert self.half is not None and self.half.is_registered
        self._failing, self._chance = setup.failing, random.Random(10 * setup.seed + rank)
        self._submit = self.half._submit
        self.half._submit = self._submit_or_fail

    def _submit_or_fail(self, operation: str, entry: Any) -> Any:
        if operation == "retrieve" and self._chance.random() < self._failing:
            self.failures += 1
            return None
        return self._submit(operation, entry)

    def load(self, output: Any) -> None:
        self.connector.bind_connector_metadata(pickle.loads(pickle.dumps(output.kv_connector_metadata)))
        if output.has_sync_kv_loads:
            self.connector.start_load_kv(None)

    def end(self, output: Any) -> KVConnectorOutput:
        if not output.has_sync_kv_loads:
            self.connector.start_load_kv(None)
        self.connector.wait_for_save()
        sent, _ = self.connector.get_finished(output.finished_req_ids)
        self.sent += sent or set()
        errors = self.connector.get_block_ids_with_load_errors()
        self.connector.clear_connector_metadata()
        return KVConnectorOutput(finished_sending=sent, invalid_block_ids=errors)

    def _value(self, tokens: Sequence[int], position: int) -> float:
        return 1 + digest(tokens[: position + 1]) % (1 << 16) + self.rank / 16

    def check(self, table: list[int], tokens: Sequence[int], count: int) -> None:
        for position in range(count):
            slot, value = self.tensor[table[position // BLOCK], :, position % BLOCK], self._value(tokens, position)
            if not bool((slot == value).all()):
                raise WrongBytesError(f"rank {self.rank}, token {position}: {slot[0, 0].item()} instead of {value}")

    def write(self, table: list[int], tokens: Sequence[int], start: int, end: int, is_wrong: bool) -> None:
        for position in range(start, end):
            value = WRONG if is_wrong else self._value(tokens, position)
            self.tensor[table[position // BLOCK], :, position % BLOCK].fill_(value)


class Engine:
    """Scheduler and workers. Up to `in_flight` steps are begun before the result of the first is heard of."""

    def __init__(self, setup: InProcessSetup) -> None:
        self.setup = setup
        self.spoiled: set[int] = set()
        self.workers = [Worker(setup, rank, self.spoiled) for rank in range(setup.ranks)]
        config = vllm_config(setup)
        self.scheduler = Scheduler(
            vllm_config=config,
            kv_cache_config=cache_config(setup),
            structured_output_manager=StructuredOutputManager(config),
            block_size=BLOCK,
            hash_block_size=BLOCK,
            log_stats=True,
        )
        self.connector: Any = self.scheduler.connector
        init_none_hash(sha256)
        self._hasher = get_request_block_hasher(BLOCK, sha256)
        self._aggregator = KVOutputAggregator(setup.ranks)
        self._in_flight: deque[tuple[Any, ModelRunnerOutput]] = deque()
        self._tables: dict[str, list[int]] = {}
        self.requests: dict[str, Request] = {}
        self.hits: dict[str, int] = {}
        self.errors: set[str] = set()

    def add(self, name: str, tokens: Sequence[int], most: int = 4, **more: Any) -> Request:
        sampling = SamplingParams(max_tokens=most, ignore_eos=True)
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

    def step(self) -> bool:
        output = self.scheduler.schedule()
        for new in output.scheduled_new_reqs:
            self.hits.setdefault(new.req_id, new.num_computed_tokens)
        self._in_flight.append((output, self._execute(output)))
        is_idle = not output.total_num_scheduled_tokens
        while self._in_flight and (len(self._in_flight) >= self.setup.in_flight or is_idle):
            self._hear(*self._in_flight.popleft())
        return not is_idle

    def _hear(self, output: Any, result: ModelRunnerOutput) -> None:
        for client in self.scheduler.update_from_output(output, result).values():
            self.errors |= {item.request_id for item in client.outputs if str(item.finish_reason) == "error"}

    def _execute(self, output: Any) -> ModelRunnerOutput:
        computed = self._take_blocks(output)
        for worker in self.workers:
            worker.load(output)
        loaded = {i for entry in output.kv_connector_metadata.plan.loads for i in _loaded_blocks(entry)}
        failed = {i for worker in self.workers for i in worker.half._failed_blocks}
        self.spoiled -= loaded
        self.spoiled |= failed
        sampled = {
            name: self._compute(name, computed[name], computed[name] + count)
            for name, count in output.num_scheduled_tokens.items()
        }
        results = [
            ModelRunnerOutput(
                req_ids=list(sampled),
                req_id_to_index={name: index for index, name in enumerate(sampled)},
                sampled_token_ids=list(sampled.values()),
                kv_connector_output=worker.end(output),
            )
            for worker in self.workers
        ]
        merged: Any = self._aggregator.aggregate(copy.copy(results))  # type: ignore[arg-type]
        return merged

    def _take_blocks(self, output: Any) -> dict[str, int]:
        running = output.scheduled_cached_reqs
        for new in output.scheduled_new_reqs:
            self._tables[new.req_id] = list(new.block_ids[0])
        for name, ids in zip(running.req_ids, running.new_block_ids, strict=True):
            if name in running.resumed_req_ids:
                self._tables[name] = list(ids[0])
            elif ids is not None:
                self._tables[name] += ids[0]
        computed = {new.req_id: new.num_computed_tokens for new in output.scheduled_new_reqs}
        return {**computed, **dict(zip(running.req_ids, running.num_computed_tokens, strict=True))}

    def _compute(self, name: str, start: int, end: int) -> list[int]:
        tokens, table = list(self.requests[name].all_token_ids), self._tables[name]
        is_wrong = bool(self.spoiled & set(table[: -(-start // BLOCK)]))
        for worker in self.workers:
            if not is_wrong:
                worker.check(table, tokens, start)
            worker.write(table, tokens, start, end, is_wrong)
        if is_wrong:
            self.spoiled |= set(table[start // BLOCK : -(-end // BLOCK)])
            return []
        self.spoiled -= set(table[-(-start // BLOCK) : -(-end // BLOCK)])
        return [digest(tokens) % VOCABULARY] if end == len(tokens) else []

    def run(self, seconds: float = 30) -> None:
        """Steps until nothing is left to do."""
        deadline = time.monotonic() + seconds
        while self.scheduler.has_requests() or self.scheduler.requests or self._in_flight:
            assert time.monotonic() < deadline, f"the engine does not come to an end: {self.scheduler.requests}"
            if not self.step():
                time.sleep(0.001)

    def complete(self, name: str, tokens: Sequence[int], most: int = 4, **more: Any) -> list[int]:
        """Runs one prompt to its end and gives the generated tokens."""
        request = self.add(name, tokens, most, **more)
        self.run()
        return list(request.output_token_ids)

    def abort(self, *names: str) -> None:
        self.scheduler.finish_requests(set(names), RequestStatus.FINISHED_ABORTED)

    def free_blocks(self) -> int:
        count: int = self.scheduler.kv_cache_manager.block_pool.get_num_free_blocks()
        return count

    def leases(self) -> int:
        """What requests still hold in the caches."""
        for client in self.connector._lmcache_engine._scheduler.adapter._clients:
            # Stands behind everything that the scheduler has sent.
            client.call("ping", None, timeout=5)
        return sum(worker.half._server.usage()["leased_object_count"] for worker in self.workers)

    def shutdown(self) -> None:
        for worker in self.workers:
            worker.connector.shutdown()
        self.connector.shutdown()


def _loaded_blocks(entry: Any) -> list[int]:
    blocks: list[int] = entry.op.groups[0][entry.op.skip_first_n_tokens // BLOCK :]
    return blocks
