# lmcache · SPDX-License-Identifier: Apache-2.0
"""TensorRT-LLM as far as its connector interface goes, for tests without the engine, which needs a GPU to import.

Names, parameters and fields are those of `kv_cache_connector.py` of the releases 1.1 (`old`: no salt, no groups of
layers, another package) and of main in late 2026; `TensorRTEngine` reports to a connector as the engine's own manager
does. Set LMCACHE_TENSORRT_LLM_INTERFACE to the path of a real `kv_cache_connector.py` to derive from that file's
classes instead.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any

REAL_FILE = os.environ.get("LMCACHE_TENSORRT_LLM_INTERFACE")
NEW = "tensorrt_llm._torch.pyexecutor.connectors.kv_cache_connector"
OLD = "tensorrt_llm._torch.pyexecutor.kv_cache_connector"


@dataclass
class RequestData:
    request_id: int
    new_tokens: list[int]
    new_block_ids: list[int]
    computed_position: int
    num_scheduled_tokens: int
    block_hashes: list[int] = field(default_factory=list)
    priorities: list[int] | None = None
    cache_salt: str | None = None
    new_block_ids_by_layer_group: list[list[int]] = field(default_factory=list)


@dataclass
class SchedulerOutput:
    new_requests: list[RequestData] = field(default_factory=list)
    cached_requests: list[RequestData] = field(default_factory=list)
    attention_dp_rank: int | None = None


class KvCacheConnectorWorker(ABC):
    supports_attention_dp: bool = False

    def __init__(self, llm_args: Any) -> None:
        self._llm_args = llm_args
        self._metadata: Any = None
        super().__init__()

    def bind_connector_meta(self, metadata: object) -> None:
        self._metadata = metadata

    def get_connector_meta(self) -> object:
        return self._metadata

    def _clear_connector_meta(self) -> None:
        self._metadata = None

    def register_forward_pass_callable(self) -> Any:
        return None

    @abstractmethod
    def register_kv_caches(self, kv_cache_tensor: Any) -> Any: ...

    def register_kv_cache_layout(self, layout: Any) -> None:
        self.register_kv_caches(layout.as_single_pool_tensor())

    @abstractmethod
    def start_load_kv(self, stream: Any) -> Any: ...

    @abstractmethod
    def wait_for_layer_load(self, layer_idx: int, stream: Any) -> Any: ...

    @abstractmethod
    def save_kv_layer(self, layer_idx: int, stream: Any) -> Any: ...

    @abstractmethod
    def wait_for_save(self, stream: Any) -> Any: ...

    @abstractmethod
    def get_finished(
        self, finished_gen_req_ids: list[int], started_loading_req_ids: list[int]
    ) -> tuple[list[int], list[int]]: ...


class KvCacheConnectorScheduler(ABC):
    supports_attention_dp: bool = False

    def __init__(self, llm_args: Any) -> None:
        self._llm_args = llm_args
        super().__init__()

    @abstractmethod
    def build_connector_meta(self, scheduler_output: SchedulerOutput) -> Any: ...

    @abstractmethod
    def get_num_new_matched_tokens(self, request: Any, num_computed_tokens: int) -> tuple[int, bool]: ...

    @abstractmethod
    def request_finished(self, request: Any, cache_block_ids: list[int]) -> bool: ...

    def request_finished_by_layer_group(self, request: Any, cache_block_ids_by_layer_group: list[list[int]]) -> bool:
        return self.request_finished(request, cache_block_ids_by_layer_group[0])

    @abstractmethod
    def update_state_after_alloc(self, request: Any, block_ids: list[int]) -> Any: ...

    def update_state_after_alloc_by_layer_group(self, request: Any, block_ids_by_layer_group: list[list[int]]) -> None:
        self.update_state_after_alloc(request, block_ids_by_layer_group[0])

    def wait_for_initialization(self) -> None:
        return


def install(monkeypatch: Any, is_old: bool = False) -> None:
    """Puts the stand-ins into `sys.modules` and makes the adapters be imported anew."""
    for name in list(sys.modules):
        if name.startswith(("lmcache.integration.tensorrt_llm", "tensorrt_llm")):
            monkeypatch.delitem(sys.modules, name)
    path = OLD if is_old else NEW
    parts = path.split(".")
    for end in range(1, len(parts)):
        package = ModuleType(".".join(parts[:end]))
        package.__path__ = []
        monkeypatch.setitem(sys.modules, package.__name__, package)
    sys.modules["tensorrt_llm"].mpi_rank = lambda: 0  # type: ignore[attr-defined]
    utilities = ModuleType("tensorrt_llm._utils")
    utilities.mpi_allgather = lambda value: [value]  # type: ignore[attr-defined]
    utilities.mpi_broadcast = lambda value, root: value  # type: ignore[attr-defined]
    utilities.mpi_rank = lambda: 0  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tensorrt_llm._utils", utilities)
    if REAL_FILE:
        _install_real(monkeypatch, path)
        return
    interface = ModuleType(path)
    for item in (KvCacheConnectorWorker, KvCacheConnectorScheduler, SchedulerOutput, RequestData):
        setattr(interface, item.__name__, item)
    monkeypatch.setitem(sys.modules, path, interface)


def _install_real(monkeypatch: Any, path: str) -> None:
    """The file's own imports are satisfied by modules that have every name."""

    class Anything(ModuleType):
        def __getattr__(self, name: str) -> Any:
            if name.startswith("__"):
                raise AttributeError(name)
            made = type(name, (), {"CONTEXT_INIT": 1, "DISAGG_GENERATION_TRANS_IN_PROGRESS": 2})
            setattr(self, name, made)
            return made

    for name in (
        "tensorrt_llm.bindings",
        "tensorrt_llm.bindings.internal",
        "tensorrt_llm.bindings.internal.batch_manager",
        "tensorrt_llm.llmapi",
        "tensorrt_llm.llmapi.llm_args",
        "tensorrt_llm.logger",
        "tensorrt_llm._torch.pyexecutor.llm_request",
        "tensorrt_llm._torch.pyexecutor.scheduler",
        "tensorrt_llm._torch.pyexecutor.connectors.scheduler",
    ):
        module = Anything(name)
        module.__path__ = []
        monkeypatch.setitem(sys.modules, name, module)
    spec = importlib.util.spec_from_file_location(path, REAL_FILE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, path, module)
    spec.loader.exec_module(module)


def arguments(url: str | None = None, block_size: int = 4, tp_size: int = 1) -> SimpleNamespace:
    """The engine's arguments."""
    return SimpleNamespace(
        model="/no/such/model",
        tensor_parallel_size=tp_size,
        pipeline_parallel_size=1,
        kv_cache_config=SimpleNamespace(tokens_per_block=block_size),
        kv_connector_config=SimpleNamespace(connector="lmcache-mp", server_url=url),
    )


def request(request_id: int, tokens: list[int], **more: Any) -> SimpleNamespace:
    """A request as the engine's bindings show it."""
    values = {
        **{"cache_salt": None, "lora_task_id": None, "is_dummy_request": False, "is_generation_only_request": False},
        **more,
    }
    return SimpleNamespace(request_id=request_id, get_tokens=lambda beam: list(tokens), **values)


class TensorRTEngine:
    """One rank's executor loop: allocates, reports and runs as the engine does, with a pool in main memory."""

    def __init__(self, scheduler: Any, worker: Any, pool: Any, block_size: int) -> None:
        self.scheduler = scheduler
        self.worker = worker
        self.pool = pool
        self.block_size = block_size
        self.free = list(range(1, pool.shape[0]))
        self.blocks: dict[int, list[int]] = {}
        self.positions: dict[int, int] = {}
        self._reported: dict[int, tuple[int, int]] = {}
        self._matched: dict[int, int] = {}
        # With the real file, its own manager calls the connector.
        self.manager = None
        if REAL_FILE:
            interface = sys.modules[OLD] if OLD in sys.modules else sys.modules[NEW]
            self.manager = interface.KvCacheConnectorManager(worker, scheduler)

    def add(self, request: Any, computed: int = 0) -> int:
        """Asks the connector and allocates blocks; returns the tokens that it offers."""
        if self.manager is not None:
            matched, is_later = self.manager.get_num_new_matched_tokens(request, computed), False
        else:
            matched, is_later = self.scheduler.get_num_new_matched_tokens(request, computed)
        assert not is_later
        length = len(request.get_tokens(0))
        assert computed + matched < max(1, length), "the engine must have a token to compute"
        count = -(-length // self.block_size)
        self.blocks[request.request_id] = [self.free.pop() for _ in range(count)]
        self.positions[request.request_id] = computed + matched
        self._matched[request.request_id] = matched
        self.scheduler.update_state_after_alloc(request, list(self.blocks[request.request_id]))
        return matched

    def step(self, requests: list[Any], most_tokens: int = 1 << 30) -> None:
        """Schedules, loads, computes (writes what a position and token determine) and saves."""
        self._report(requests, most_tokens)
        self.worker.start_load_kv(None)
        for layer in range(self.pool.shape[1]):
            self.worker.wait_for_layer_load(layer, None)
            self.worker.save_kv_layer(layer, None)
        for item in requests:
            self._compute(item, most_tokens)
        self.worker.wait_for_save(None)
        assert self.worker.get_finished([], []) == ([], [])
        self.worker._clear_connector_meta()

    def _report(self, requests: list[Any], most_tokens: int) -> None:
        if self.manager is not None:
            state = sys.modules["tensorrt_llm.bindings"].LlmRequestState.CONTEXT_INIT
            for item in requests:
                item.state = state
                item.context_current_position = self.positions[item.request_id]
                item.context_remaining_length = len(item.get_tokens(0)) - item.context_current_position
                item.context_chunk_size = most_tokens
            batch = SimpleNamespace(context_requests=requests, generation_requests=[])
            blocks = SimpleNamespace(get_cache_indices=lambda item: list(self.blocks[item.request_id]))
            self.manager.build_scheduler_output(batch, blocks)
            self.manager.handle_metadata()
            assert self.manager.get_finished() == []
            return
        output = SchedulerOutput()
        for item in requests:
            output_list = output.cached_requests if item.request_id in self._reported else output.new_requests
            output_list.append(self._data(item, most_tokens))
        self._matched.clear()
        self.worker.bind_connector_meta(self.scheduler.build_connector_meta(output))

    def finish(self, request: Any) -> None:
        """Ends a request; its blocks are reused."""
        blocks = self.blocks.pop(request.request_id)
        assert self.scheduler.request_finished(request, list(blocks)) is False
        self.free.extend(blocks)
        self._reported.pop(request.request_id, None)

    def _data(self, item: Any, most_tokens: int) -> RequestData:
        tokens, blocks = item.get_tokens(0), self.blocks[item.request_id]
        known_tokens, known_blocks = self._reported.get(item.request_id, (0, 0))
        self._reported[item.request_id] = (len(tokens), len(blocks))
        position = self.positions[item.request_id]
        return RequestData(
            item.request_id,
            tokens[known_tokens:],
            blocks[known_blocks:],
            position - self._matched.get(item.request_id, 0),
            min(most_tokens, len(tokens) - position),
        )

    def _compute(self, item: Any, most_tokens: int) -> None:
        tokens, start = item.get_tokens(0), self.positions[item.request_id]
        end = min(len(tokens), start + most_tokens)
        for position in range(start, end):
            self.write(item.request_id, tokens, position)
        self.positions[item.request_id] = end

    def write(self, request_id: int, tokens: list[int], position: int) -> None:
        """What a model computes for a position depends on all tokens up to it."""
        self.view(request_id, position).copy_(self.expected(tokens, position))

    def view(self, request_id: int, position: int) -> Any:
        """A position's elements as `[layers, 2, heads, head size]`."""
        block, slot = divmod(position, self.block_size)
        return self.shaped[self.blocks[request_id][block]][:, :, :, slot]

    def expected(self, tokens: list[int], position: int) -> Any:
        """What a position must hold."""
        import torch

        seed = hash(tuple(tokens[: position + 1])) & 0x7FFFFFFF
        shape = (*self.shaped.shape[1:4], self.shaped.shape[5])
        return torch.rand(shape, generator=torch.Generator().manual_seed(seed)).to(self.pool.dtype)

    @property
    def shaped(self) -> Any:
        """The pool as `[blocks, layers, 2, heads, tokens, head size]`; the stand-in model has one head."""
        blocks, layers, planes, flat = self.pool.shape
        return self.pool.view(blocks, layers, planes, 1, self.block_size, flat // self.block_size)

    def is_right(self, request: Any, start: int, end: int) -> bool:
        """Whether positions hold what the model would have computed."""
        import torch

        tokens = request.get_tokens(0)
        return all(
            torch.equal(self.view(request.request_id, position), self.expected(tokens, position))
            for position in range(start, end)
        )
