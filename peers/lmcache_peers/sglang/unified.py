# lmcache · SPDX-License-Identifier: Apache-2.0
"""SGLang 0.5.21 to 0.5.23: the unified radix cache with real pools, allocators and requests, and no model."""

from __future__ import annotations

import time
import types
from array import array
from collections.abc import Sequence
from typing import Any

import torch
from sglang.srt.configs.model_config import AttentionArch
from sglang.srt.managers.schedule_batch import FINISH_LENGTH, Req
from sglang.srt.mem_cache.allocator import PagedTokenToKVPoolAllocator, TokenToKVPoolAllocator
from sglang.srt.mem_cache.allocator.swa import SWATokenToKVPoolAllocator
from sglang.srt.mem_cache.base_prefix_cache import EvictParams, InitLoadBackParams
from sglang.srt.mem_cache.cache_init_params import CacheInitParams
from sglang.srt.mem_cache.memory_pool import MHATokenToKVPool, MLATokenToKVPool, ReqToTokenPool
from sglang.srt.mem_cache.storage.lmcache.lmcache_unified_radix_cache import LMCacheUnifiedRadixCache
from sglang.srt.mem_cache.swa_memory_pool import SWAKVPool
from sglang.srt.mem_cache.unified_cache.components import ComponentType
from sglang.srt.sampling.sampling_params import SamplingParams

from lmcache_peers.processes import wait_for
from lmcache_peers.sglang.values import FilledPool, tensors_of

SLOTS = 512
LAYERS = 3
WINDOWS = {"window40": 40, "window24": 24}
"""Kinds of pools in which a third of the layers sees so many tokens; chunks have 32."""


def make_pool(kind: str, page_size: int) -> Any:
    """A small pool of key and value layers, some of them with a window, or of latent ones."""
    common = {"dtype": torch.float32, "layer_num": LAYERS, "device": "cpu", "enable_memory_saver": False}
    if kind in WINDOWS:
        del common["layer_num"]
        return SWAKVPool(
            SLOTS,
            SLOTS,
            page_size,
            head_num=2,
            head_dim=8,
            swa_attention_layer_ids=[1],
            full_attention_layer_ids=[0, 2],
            **common,
        )
    if kind == "mla":
        return MLATokenToKVPool(SLOTS, page_size, kv_lora_rank=12, qk_rope_head_dim=4, **common)
    return MHATokenToKVPool(SLOTS, page_size, head_num=2, head_dim=8, **common)


def make_allocator(pool: Any, page_size: int) -> Any:
    """The allocator that SGLang uses for the page size."""
    common = {"dtype": torch.float32, "device": "cpu", "kvcache": pool, "need_sort": False}
    if isinstance(pool, SWAKVPool):
        return SWATokenToKVPoolAllocator(SLOTS, SLOTS, page_size, **common)
    if page_size == 1:
        return TokenToKVPoolAllocator(SLOTS, **common)
    return PagedTokenToKVPoolAllocator(SLOTS, page_size, **common)


class UnifiedEngine:
    """One rank. Requests run one after the other, as SGLang's scheduler would run them."""

    def __init__(
        self,
        config_file: str,
        page_size: int,
        kind: str = "mha",
        model: str = "peers/unified",
        rank: int = 0,
        ranks: int = 1,
        group: Any = None,
    ) -> None:
        self.page_size = page_size
        self.pool = make_pool(kind, page_size)
        self.requests = ReqToTokenPool(size=8, max_context_len=SLOTS, device="cpu", enable_memory_saver=False)
        self.allocator = make_allocator(self.pool, page_size)
        params = CacheInitParams(
            disable=False,
            req_to_token_pool=self.requests,
            token_to_kv_pool_allocator=self.allocator,
            page_size=page_size,
            tp_cache_group=group,
            tree_components=(ComponentType.FULL, ComponentType.SWA) if kind in WINDOWS else (ComponentType.FULL,),
            sliding_window_size=WINDOWS.get(kind),
        )
        arch = AttentionArch.MLA if kind == "mla" else AttentionArch.MHA
        self.tree = LMCacheUnifiedRadixCache(
            params,
            model_config=types.SimpleNamespace(
                model_path=f"{model}-{kind}-{page_size}", attention_arch=arch, hf_config=types.SimpleNamespace()
            ),
            tp_size=ranks,
            tp_rank=rank,
            lmcache_config_file=config_file,
            forward_stream=None,
        )
        self.values = FilledPool(tensors_of(getattr(self.pool, "full_kv_pool", self.pool)))
        self.window = WINDOWS.get(kind, 0)
        self.windowed_values = FilledPool(tensors_of(self.pool.swa_kv_pool) if self.window else [])
        self.connector = self.tree.lmcache_connector

    @property
    def free_slots(self) -> int:
        """Slots that are free, or would be after an eviction."""
        free = int(self.allocator.available_size()) + int(self.tree.full_evictable_size())
        if self.window:
            parts = (self.allocator.full_available_size(), self.allocator.swa_available_size())
            evictable = (self.tree.full_evictable_size(), self.tree.swa_evictable_size())
            free = int(min(part + more for part, more in zip(parts, evictable, strict=True)))
        return free

    def evict_all(self) -> None:
        """Drops what the tree holds, and spoils the memory it lay in."""
        self.settle()
        self._evict(SLOTS)
        self.values.spoil()
        self.windowed_values.spoil()

    def _evict(self, tokens: int) -> None:
        self.tree.evict(EvictParams(num_tokens=tokens, **({"swa_num_tokens": tokens} if self.window else {})))

    def settle(self, seconds: float = 30) -> None:
        """Lets the scheduler's idle loop finish stores and loads."""

        def is_idle() -> bool:
            self.tree.check_hicache_events()
            return not self.tree.has_pending_cache_operations()

        wait_for("stores and loads", seconds, is_idle, pause=0.002)

    def run(self, name: str, tokens: Sequence[int], salt: str | None = None) -> tuple[int, int]:
        """Runs a request to its end: tokens found locally or loaded, and positions with wrong values after prefill."""
        request = Req(name, "", array("q", tokens), SamplingParams(max_new_tokens=1), cache_salt=salt)
        self._prefetch(request)
        request.init_next_round_input(self.tree)
        self._load_back(request)
        found = self._prefix_len(request)
        slots = self._prefill(request, found)
        wrong = self.values.wrong(tokens, slots)
        if self.window:
            wrong += self._wrong_in_window(tokens, slots, found)
        self._finish(request)
        return found, wrong

    def _prefetch(self, request: Req) -> None:
        request.init_next_round_input(self.tree, cow_mamba=False)
        matched = self._prefix_len(request) + request.host_hit_length
        end = request._compute_max_prefix_len(len(request.full_untruncated_fill_ids))
        self.tree.prefetch_from_storage(
            request.cache_request_handle,
            request.last_host_node,
            request.full_untruncated_fill_ids[matched:end],
            matched_prefix_tokens=request.full_untruncated_fill_ids[:matched],
            extra_key=request.extra_key,
            cache_salt=request.cache_salt,
        )
        deadline = time.monotonic() + 60
        while not self.tree.check_prefetch_progress(request.cache_request_handle):
            assert time.monotonic() < deadline, "the lookup never ended"
            self.tree.check_hicache_events()
            time.sleep(0.001)

    def _load_back(self, request: Req) -> None:
        if request.host_hit_length > 0:
            params = InitLoadBackParams(
                best_match_node=request.best_match_node, host_hit_length=request.host_hit_length, req=request
            )
            loaded, request.last_node = self.tree.init_load_back(params)
            if isinstance(loaded, torch.Tensor):
                request.prefix_indices = torch.cat([request.prefix_indices, loaded])
            else:
                request.prefix_len += loaded
            request.kv.cache_protected_len = self._prefix_len(request)
        if hasattr(self.tree, "lock"):
            request.lock = self.tree.lock(request.last_node)
        else:
            request.lock_receipt = self.tree.inc_lock_ref(request.last_node).to_dec_params()

    @staticmethod
    def _prefix_len(request: Req) -> int:
        return int(request.prefix_len) if hasattr(request, "prefix_len") else len(request.prefix_indices)

    def _prefill(self, request: Req, found: int) -> torch.Tensor:
        total = len(request.origin_input_ids)
        pages = -(-(total - found) // self.page_size) * self.page_size

        def has_room() -> bool:
            if self.allocator.available_size() < pages:
                self.tree.check_hicache_events()
                self._evict(pages)
            return bool(self.allocator.available_size() >= pages)

        # What is being stored is locked; a scheduler would let the request wait.
        wait_for("free slots", 20, has_room, pause=0.002)
        fresh = self._alloc(pages)
        prefix = torch.empty(0, dtype=torch.int64)
        if found:
            has_method = hasattr(self.tree, "prefix_device_indices")
            prefix = self.tree.prefix_device_indices(request) if has_method else request.prefix_indices
        slots = torch.cat([prefix.to(torch.int64), fresh[: total - found]])
        self.values.compute(list(request.origin_input_ids), slots[found:], found)
        if self.window:
            windowed = self.allocator.translate_loc_from_full_to_swa(slots[found:])
            self.windowed_values.compute(list(request.origin_input_ids), windowed, found)
        assert self.requests.alloc([request]) is not None, "no request rows are left"
        self.requests.write((request.kv.req_pool_idx, slice(0, total)), slots.to(torch.int32))
        request.kv.kv_allocated_len = request.kv.kv_committed_len = total
        if hasattr(request, "set_extend_range"):
            request.set_extend_range(found, total)
        else:
            request.extend_end = total
        return slots

    def _alloc(self, count: int) -> torch.Tensor:
        if not self.window:
            return self.allocator.alloc(count)
        fresh = self.allocator.full_attn_allocator.alloc(count)
        self.allocator.set_full_to_swa_mapping(fresh, self.allocator.swa_attn_allocator.alloc(count))
        return fresh

    def _wrong_in_window(self, tokens: Sequence[int], slots: torch.Tensor, found: int) -> int:
        """Of what the prompt's rest can see."""
        first = max(0, found - self.window)
        numbers = self.allocator.translate_loc_from_full_to_swa(slots)
        return self.windowed_values.wrong(tokens, numbers, first)

    def _finish(self, request: Req) -> None:
        from sglang.srt.mem_cache.common import release_kv_cache

        request.output_ids.append(0)
        request.finished_reason = FINISH_LENGTH(length=1)
        if hasattr(self.tree, "checkpoint"):
            release_kv_cache(request, self.tree, checkpoint=True)
        else:
            release_kv_cache(request, self.tree, is_insert=True)
        self.tree.check_hicache_events()
