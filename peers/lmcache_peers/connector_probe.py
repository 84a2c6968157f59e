# lmcache · SPDX-License-Identifier: Apache-2.0
"""Measures one thing about the installed `lmcache` package in this process; prints JSON.

    connector_probe package|connector|lookup|step PORT TOKENS
"""

from __future__ import annotations

import contextlib
import importlib
import json
import random
import sys
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

BLOCK = 32
LAYERS = 32
REQUESTS = 20
RUNNING = 64
STEPS = 3000


def package() -> dict[str, float]:
    """Nothing else of ours or of an engine is loaded before."""
    return {"import_package_ms": 1000 * timed(lambda: importlib.import_module("lmcache"))}


def connector() -> dict[str, float]:
    """What a vLLM process has loaded when it comes to the connector is loaded before."""
    for name in ("vllm.v1.engine.core", "vllm.v1.core.sched.scheduler", "vllm.v1.worker.gpu_model_runner"):
        importlib.import_module(name)
    importlib.import_module("vllm.distributed.kv_transfer.kv_connector.v1.base")
    module = "lmcache.integration.vllm.lmcache_mp_connector"
    first = timed(lambda: importlib.import_module(module))
    return {"import_connector_ms": 1000 * first, "import_roles_ms": 1000 * (first + timed(roles))}


def roles() -> None:
    """What a package loads only when a connector of one role or the other is built."""
    for name in ("vllm_multi_process_adapter", "context_parallel", "scheduler_side", "worker_side"):
        with contextlib.suppress(ModuleNotFoundError):
            importlib.import_module(f"lmcache.integration.vllm.{name}")


def timed(action: Callable[[], Any]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


class Pair:
    """A scheduler's and a worker's connector on one small cache."""

    def __init__(self, port: int, tokens: int, more: dict[str, Any] | None = None) -> None:
        import torch
        from vllm.config import CacheConfig, DeviceConfig, KVTransferConfig, ModelConfig, SchedulerConfig, VllmConfig
        from vllm.distributed.kv_transfer.kv_connector.v1.base import KVConnectorRole
        from vllm.v1.kv_cache_interface import FullAttentionSpec, KVCacheConfig, KVCacheGroupSpec

        from lmcache.integration.vllm.lmcache_mp_connector import LMCacheMPConnector
        from lmcache_peers import settings

        length = tokens + 2 * BLOCK
        options = {"lmcache.mp.port": port, "lmcache.mp.host": "tcp://127.0.0.1", "lmcache.mp.mq_timeout": 30}
        options |= more or {}
        config = VllmConfig(
            model_config=ModelConfig(
                model=str(settings.MODEL), dtype="float32", max_model_len=length, enforce_eager=True
            ),
            cache_config=CacheConfig(block_size=BLOCK),
            scheduler_config=SchedulerConfig(
                max_num_seqs=RUNNING, max_num_batched_tokens=length, max_model_len=length, is_encoder_decoder=False
            ),
            device_config=DeviceConfig("cpu"),
            kv_transfer_config=KVTransferConfig(
                kv_connector="LMCacheMPConnector", kv_role="kv_both", kv_connector_extra_config=options
            ),
        )
        # The engine core would have chosen it by now.
        config.cache_config.kv_cache_layout = "LBHNC"
        self.blocks = length // BLOCK + RUNNING + 2
        spec = FullAttentionSpec(block_size=BLOCK, num_kv_heads=1, head_size=2, dtype=torch.float32)
        names = ["layer.0", "layer.1"]
        cache = KVCacheConfig(self.blocks, [], [KVCacheGroupSpec(names, spec)], kv_cache_layout="LBHNC")
        self.scheduler: Any = LMCacheMPConnector(config, KVConnectorRole.SCHEDULER, cache)
        self.worker: Any = LMCacheMPConnector(config, KVConnectorRole.WORKER, cache)
        self.worker.register_kv_caches({name: torch.zeros(self.blocks, 1, BLOCK, 4) for name in names})

    def request(self, name: str, tokens: list[int]) -> Any:
        from vllm.sampling_params import SamplingParams
        from vllm.v1.request import Request

        sampling = SamplingParams(max_tokens=1000, ignore_eos=True)
        return Request(name, tokens, sampling, None)

    def look_up(self, request: Any) -> tuple[float, float, float, int]:
        """Seconds inside the first call and inside all calls, seconds of processor time of all threads until the end,
        and the tokens found; waiting is not counted.
        """
        spent, began = time.process_time(), time.perf_counter()
        answer, _ = self.scheduler.get_num_new_matched_tokens(request, 0)
        first = total = time.perf_counter() - began
        deadline = time.monotonic() + 30
        while answer is None:
            assert time.monotonic() < deadline, "no answer"
            time.sleep(0.05)
            began = time.perf_counter()
            answer, _ = self.scheduler.get_num_new_matched_tokens(request, 0)
            total += time.perf_counter() - began
        return first, total, time.process_time() - spent, answer

    def admit(self, request: Any, blocks: list[int], scheduled: int) -> Any:
        """The request is computed from its start; gives the metadata of that step."""
        self.scheduler.update_state_after_alloc(request, SimpleNamespace(get_block_ids=lambda: (blocks,)), 0)
        new = SimpleNamespace(req_id=request.request_id, block_ids=(blocks,), num_computed_tokens=0)
        scheduled_tokens = {request.request_id: scheduled}
        return self.scheduler.build_connector_meta(output([new], running([], None, []), scheduled_tokens))

    def work(self, metadata: Any, finished: set[str]) -> set[str]:
        """One step of the worker, without a model."""
        worker = self.worker
        worker.handle_preemptions(metadata)
        worker.bind_connector_metadata(metadata)
        for layer in LAYER_NAMES:
            worker.wait_for_layer_load(layer)
            worker.save_kv_layer(layer, None, None)
        worker.start_load_kv(None)
        worker.wait_for_save()
        results = worker.get_transfer_results(finished)
        worker.get_block_ids_with_load_errors()
        worker.get_kv_connector_stats()
        worker.get_kv_connector_kv_cache_events()
        worker.build_connector_worker_meta()
        worker.clear_connector_metadata()
        sent: set[str] = set(results.finished_sending)
        return sent

    def close(self) -> None:
        self.worker.shutdown()
        self.scheduler.shutdown()


LAYER_NAMES = [f"layer.{index}" for index in range(LAYERS)]


def running(names: list[str], blocks: Any, computed: list[int]) -> Any:
    from vllm.v1.core.sched.output import CachedRequestData

    return CachedRequestData(
        req_ids=names,
        resumed_req_ids=set(),
        new_token_ids=[],
        all_token_ids={},
        new_block_ids=[blocks] * len(names),
        num_computed_tokens=computed,
        num_output_tokens=[1] * len(names),
    )


def output(new: list[Any], cached: Any, scheduled: dict[str, int]) -> Any:
    from vllm.v1.core.sched.output import SchedulerOutput

    result = SchedulerOutput.make_empty()
    result.scheduled_new_reqs, result.scheduled_cached_reqs = new, cached
    result.num_scheduled_tokens, result.total_num_scheduled_tokens = scheduled, sum(scheduled.values())
    result.preempted_req_ids = set()
    return result


def prompts(count: int, tokens: int) -> list[list[int]]:
    chance = random.SystemRandom()
    return [[chance.randrange(150_000) for _ in range(tokens)] for _ in range(count)]


def lookup(port: int, tokens: int) -> dict[str, float]:
    """Other prompts for each miss; then one prompt that was stored, under other request names."""
    pair = Pair(port, tokens)
    stored, *others = prompts(1 + REQUESTS, tokens)
    misses = [pair.look_up(pair.request(f"miss-{index}", prompt)) for index, prompt in enumerate(others)]
    cold = pair.request("cold", stored)
    pair.look_up(cold)
    metadata = pair.admit(cold, list(range(1, tokens // BLOCK + 1)), tokens)
    deadline = time.monotonic() + 60
    sent = pair.work(metadata, set())
    empty = pair.scheduler.build_connector_meta(output([], running([], None, []), {}))
    pair.scheduler.request_finished_all_groups(cold, ((),))
    sent = pair.work(empty, {"cold"})
    while "cold" not in sent:
        assert time.monotonic() < deadline, "the store does not end"
        time.sleep(0.01)
        sent |= pair.work(empty, set())
    time.sleep(0.2)
    hits = [pair.look_up(pair.request(f"hit-{index}", list(stored))) for index in range(REQUESTS)]
    assert {found for *_, found in misses} == {0}, "a miss was none"
    assert {found for *_, found in hits} <= {tokens, tokens - 1}, f"a hit was none: {hits}"
    pair.close()
    return {
        "miss_first_us": median([first for first, *_ in misses]),
        "miss_us": median([total for _, total, *_ in misses]),
        "miss_threads_us": median([spent for _, _, spent, _ in misses]),
        "hit_first_us": median([first for first, *_ in hits]),
        "hit_us": median([total for _, total, *_ in hits]),
        "hit_threads_us": median([spent for _, _, spent, _ in hits]),
    }


def median(seconds: list[float]) -> float:
    return 1e6 * sorted(seconds)[len(seconds) // 2]


def step(port: int, tokens: int) -> dict[str, float]:
    """Decode steps of requests whose prompts are shorter than a chunk, so that nothing is stored in them."""
    figures = {}
    cases = (("step_us", RUNNING, False), ("step_1_us", 1, False), ("step_decode_us", RUNNING, True))
    for name, count, is_storing_answers in cases:
        pair = Pair(port, tokens, {"lmcache.mp.save_decode_cache": is_storing_answers})
        requests = [pair.request(f"{name}-{index}", prompt) for index, prompt in enumerate(prompts(count, 20))]
        for index, request in enumerate(requests):
            pair.look_up(request)
            pair.admit(request, [1 + index], 20)
        names = [request.request_id for request in requests]
        scheduled = dict.fromkeys(names, 1)
        steps = [output([], running(names, None, [20] * count), scheduled) for _ in range(STEPS)]
        finished: set[str] = set()
        seconds = []
        for scheduler_output in steps:
            began = time.perf_counter()
            metadata = pair.scheduler.build_connector_meta(scheduler_output)
            pair.work(metadata, finished)
            pair.scheduler.get_kv_connector_stats()
            pair.scheduler.take_events()
            seconds.append(time.perf_counter() - began)
        figures[name] = median(seconds)
        pair.close()
    return figures


def main() -> int:
    what, port, tokens = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    if what == "package":
        print(json.dumps(package()))
    elif what == "connector":
        print(json.dumps(connector()))
    elif what == "lookup":
        print(json.dumps(lookup(port, tokens - tokens % 256)))
    else:
        print(json.dumps(step(port, 1024)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
