# lmcache · SPDX-License-Identifier: Apache-2.0
"""A scripted cache server for SGLang's connectors, and the objects of SGLang that they look at."""

from __future__ import annotations

import types
from enum import Enum
from pathlib import Path
from typing import Any

import torch
from fake_pool import CHUNK, FakePool
from fake_server import FakeServer

LAYERS, HEADS, SIZE = 2, 2, 4
SLOTS = 256


class Component(Enum):
    """SGLang's names of tree components."""

    FULL = 0
    SWA = 1
    MAMBA = 2
    C128 = 3


class FakeCache(FakePool):
    """An engine-driven cache that answers lookups as well. `slot_bytes` of float32 layers."""

    def __init__(self, planes: int) -> None:
        super().__init__(4 * planes * CHUNK * HEADS * SIZE)
        self._found: dict[str, int] = {}

    def script(self) -> dict[str, Any]:
        return {
            **super().script(),
            "lookup": self._look_up,
            "query_prefetch_status": lambda request: self._found.get(request, 0),
            "wait_prefetch_status": lambda request, _: self._found.get(request, 0),
        }

    def _look_up(self, key: dict[str, Any], _: int) -> None:
        chunks = 0
        while (chunks + 1) * CHUNK <= key["end"] and tuple(key["token_ids"][: (chunks + 1) * CHUNK]) in self.stored:
            chunks += 1
        self._found[key["request_id"]] = chunks


def make_server(planes: int = 2 * LAYERS) -> tuple[FakeServer, FakeCache]:
    cache = FakeCache(planes)
    return FakeServer(cache.script()), cache


def layers(seed: int = 0, slots: int = SLOTS) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(slots, HEADS, SIZE, generator=generator) for _ in range(LAYERS)]


def port_of(server: FakeServer) -> int:
    return int(server.url.rsplit(":", 1)[1])


def write_config(folder: Path, port: int, **extra: Any) -> str:
    path = folder / "lmcache.yaml"
    lines = [f"mp_host: 127.0.0.1\nmp_port: {port}\nextra_config:"]
    values = {"lmcache.mp.heartbeat_interval": 0.2, "lmcache.mp.mq_timeout": 1, **extra}
    lines += [f"  {name}: {value}" for name, value in values.items()]
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def model(name: str = "test/model", arch: str = "MHA") -> Any:
    return types.SimpleNamespace(
        model_path=name, attention_arch=types.SimpleNamespace(name=arch), num_hidden_layers=LAYERS
    )


class FakeAllocator:
    """What the unified connector asks of SGLang's allocator."""

    def __init__(self, pool: Any) -> None:
        self.pool = pool

    def get_kvcache(self) -> Any:
        return self.pool

    def translate_kv_indices_for_transfer(self, indices: torch.Tensor) -> torch.Tensor:
        return indices

    def translate_loc_from_full_to_swa(self, indices: torch.Tensor) -> torch.Tensor:
        return torch.where(indices >= 128, indices - 120, torch.zeros_like(indices))


def unified_arguments(config: str, page_size: int = 4, **changes: Any) -> dict[str, Any]:
    pool = types.SimpleNamespace(k_buffer=layers(1), v_buffer=layers(2))
    return {
        "config_file": config,
        "model_config": model(),
        "tp_size": 1,
        "tp_rank": 0,
        "tp_group": None,
        "page_size": page_size,
        "token_to_kv_pool_allocator": FakeAllocator(pool),
        "req_to_token_pool": types.SimpleNamespace(),
        "tree_components": (Component.FULL,),
        "mamba_component": None,
        "sliding_window_size": None,
        **changes,
    }
