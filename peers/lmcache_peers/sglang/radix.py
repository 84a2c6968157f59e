# lmcache · SPDX-License-Identifier: Apache-2.0
"""SGLang up to 0.5.20: its radix cache with real pools, allocators and requests, and no model."""

from __future__ import annotations

import types
from array import array
from collections.abc import Sequence
from typing import Any

import torch
from sglang.srt.managers.schedule_batch import FINISH_LENGTH, Req
from sglang.srt.mem_cache.allocator import PagedTokenToKVPoolAllocator, TokenToKVPoolAllocator
from sglang.srt.mem_cache.base_prefix_cache import EvictParams, InitLoadBackParams
from sglang.srt.mem_cache.cache_init_params import CacheInitParams
from sglang.srt.mem_cache.memory_pool import MHATokenToKVPool, ReqToTokenPool
from sglang.srt.mem_cache.storage.lmcache import lmc_radix_cache
from sglang.srt.sampling.sampling_params import SamplingParams

from lmcache_peers.sglang import streams
from lmcache_peers.sglang.values import FilledPool, tensors_of

SLOTS = 512
LAYERS = 3


class RadixEngine:
    """One rank. Requests run one after the other, as SGLang's scheduler would run them."""

    def __init__(self, page_size: int, model: str = "peers/radix", rank: int = 0, ranks: int = 1, group: Any = None):
        streams.use_in(lmc_radix_cache)
        self.page_size = page_size
        common = {"dtype": torch.float32, "device": "cpu"}
        self.pool = MHATokenToKVPool(
            SLOTS, page_size, head_num=2, head_dim=8, layer_num=LAYERS, enable_memory_saver=False, **common
        )
        self.requests = ReqToTokenPool(size=8, max_context_len=SLOTS, device="cpu", enable_memory_saver=False)
        if page_size == 1:
            self.allocator: Any = TokenToKVPoolAllocator(SLOTS, kvcache=self.pool, need_sort=False, **common)
        else:
            self.allocator = PagedTokenToKVPoolAllocator(SLOTS, page_size, kvcache=self.pool, need_sort=False, **common)
        params = CacheInitParams(
            disable=False,
            req_to_token_pool=self.requests,
            token_to_kv_pool_allocator=self.allocator,
            page_size=page_size,
        )
        self.tree = lmc_radix_cache.LMCRadixCache(
            params,
            model_config=types.SimpleNamespace(
                model_path=f"{model}-{page_size}", num_hidden_layers=LAYERS, attention_arch="MHA"
            ),
            tp_size=ranks,
            rank=rank,
            tp_group=None if group is None else types.SimpleNamespace(device_group=group),
        )
        self.values = FilledPool(tensors_of(self.pool))
        self.connector = self.tree.lmcache_connector

    @property
    def free_slots(self) -> int:
        """Slots that are free, or would be after an eviction."""
        return int(self.allocator.available_size()) + int(self.tree.evictable_size())

    def settle(self) -> None:
        """Gives back what stores kept locked."""
        self.tree.evict(EvictParams(num_tokens=0))

    def evict_all(self) -> None:
        """Drops what the tree holds, and spoils the memory it lay in."""
        self.tree.evict(EvictParams(num_tokens=SLOTS))
        self.values.spoil()

    def run(self, name: str, tokens: Sequence[int], salt: str | None = None) -> tuple[int, int]:
        """Runs a request to its end: tokens found locally or loaded, and positions with wrong values after prefill."""
        request = Req(name, "", _as_ids(tokens), SamplingParams(max_new_tokens=1), extra_key=salt)
        request.init_next_round_input(self.tree)
        if request.host_hit_length > 0:
            fresh, request.last_node = self.tree.init_load_back(
                InitLoadBackParams(
                    best_match_node=request.best_match_node, host_hit_length=request.host_hit_length, req=request
                )
            )
            request.prefix_indices = torch.cat([request.prefix_indices, fresh])
            request.cache_protected_len = len(request.prefix_indices)
        self.tree.inc_lock_ref(request.last_node)
        found = len(request.prefix_indices)
        slots = self._prefill(request, found)
        wrong = self.values.wrong(tokens, slots)
        self._finish(request)
        return found, wrong

    def _prefill(self, request: Req, found: int) -> torch.Tensor:
        total = len(request.origin_input_ids)
        pages = -(-(total - found) // self.page_size) * self.page_size
        if self.allocator.available_size() < pages:
            self.tree.evict(EvictParams(num_tokens=pages))
        fresh = self.allocator.alloc(pages)
        assert fresh is not None, "no slots are left"
        slots = torch.cat([request.prefix_indices.to(torch.int64), fresh[: total - found]])
        for layer in range(LAYERS):
            # The forward pass: an attention layer asks for its memory, which is where layers are loaded.
            self.pool.get_key_buffer(layer)
        self.values.compute(list(request.origin_input_ids), slots[found:], found)
        assert self.requests.alloc([request]) is not None, "no request rows are left"
        self.requests.write((request.req_pool_idx, slice(0, total)), slots.to(torch.int32))
        kv = getattr(request, "kv", None)
        if hasattr(request, "kv"):
            if kv is None:
                from sglang.srt.managers.schedule_batch import ReqKvInfo

                kv = request.kv = ReqKvInfo(kv_allocated_len=total, swa_evicted_seqlen=0)
            kv.kv_allocated_len = total
        else:
            request.kv_allocated_len = total
        request.kv_committed_len = total
        return slots

    def _finish(self, request: Req) -> None:
        from sglang.srt.mem_cache.common import release_kv_cache

        request.output_ids.append(0)
        request.finished_reason = FINISH_LENGTH(length=1)
        release_kv_cache(request, self.tree)


def _as_ids(tokens: Sequence[int]) -> Any:
    """Ids as this release keeps them."""
    import inspect

    wants_array = "array" in str(inspect.signature(Req.__init__).parameters["origin_input_ids"].annotation)
    return array("q", tokens) if wants_array else list(tokens)
