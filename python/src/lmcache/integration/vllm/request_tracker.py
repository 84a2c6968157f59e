# lmcache · SPDX-License-Identifier: Apache-2.0
"""What the scheduler knows of one request."""

from __future__ import annotations

import enum
import hashlib
from dataclasses import dataclass, field
from typing import Any

from lmcache.integration.vllm.multimodal import substituted
from lmcache.integration.vllm.settings import request_configs
from lmcache.wire.tokens import EncodedTokens


class RequestState(enum.Enum):
    """Where a request stands with the cache."""

    PREFETCHING = enum.auto()
    """Looked up, or being looked up; no blocks yet."""
    WAITING_FOR_LOAD = enum.auto()
    """Blocks are there, the load is not on its way."""
    READY = enum.auto()
    """Nothing more to load; a load may be on its way."""
    BYPASS = enum.auto()
    """A load failed: the next attempt computes."""


@dataclass(slots=True)
class RequestTracker:
    """One attempt of one request; a preempted request gets another tracker.

    `tokens` are those that were looked up, with placeholders of images replaced; `stored` counts from position 0,
    and so does `most_stored`, behind which nothing is stored whatever the engine's options say.
    """

    request_id: str
    request: Any
    tokens: EncodedTokens
    salt: str
    configs: dict[str, Any] | None
    preemptions: int
    is_cacheable: bool = True
    state: RequestState = RequestState.PREFETCHING
    block_ids: list[list[int]] = field(default_factory=list)
    local_hit: int = 0
    cache_hit: int = 0
    stored: int = 0
    has_stores: bool = False
    was_loaded: bool = False
    is_inline: bool = False
    was_awaited: bool = False
    are_leases_settled: bool = False
    lookup_started_at: float | None = None
    most_stored: int | None = None

    @staticmethod
    def of(request: Any) -> RequestTracker:
        """The tracker of a request that is looked up now."""
        # Embeddings have no tokens that could name them.
        is_cacheable = request.prompt_token_ids is not None and getattr(request, "prompt_embeds", None) is None
        tokens = _known_tokens(request) if is_cacheable else []
        if features := getattr(request, "mm_features", None):
            tokens = substituted(tokens, features)
        sampling = getattr(request, "sampling_params", None)
        return RequestTracker(
            request.request_id,
            request,
            EncodedTokens(tokens),
            _salt_of(request),
            None if getattr(sampling, "extra_args", None) is None else request_configs(request),
            getattr(request, "num_preemptions", 0),
            is_cacheable,
        )

    def most_storable(self, save_decode_cache: bool) -> int | None:
        """Tokens that may be stored at most, however long the answer becomes; none for no limit."""
        if not self.is_cacheable:
            return 0
        limits = [] if save_decode_cache else [self.request.num_prompt_tokens]
        wanted = (self.configs or {}).get("lmcache.max_offload_tokens")
        if isinstance(wanted, int) and not isinstance(wanted, bool):
            limits.append(max(0, wanted))
        if self.most_stored is not None:
            limits.append(self.most_stored)
        return min(limits, default=None)

    def store_limit(self, save_decode_cache: bool) -> int:
        """Tokens that may be stored now."""
        known, most = len(self.request.all_token_ids), self.most_storable(save_decode_cache)
        return known if most is None else min(known, most)

    def tokens_until(self, end: int) -> EncodedTokens:
        """At least the first `end` tokens; those generated since the lookup are taken from the request."""
        if end > self.tokens.count:
            self.tokens = self.tokens.extended(_known_tokens(self.request)[self.tokens.count : end])
        return self.tokens

    def forget_load(self) -> None:
        """The load failed: the next attempt computes everything, and stores it."""
        self.state = RequestState.BYPASS
        self.block_ids = []
        self.cache_hit = self.local_hit = self.stored = 0
        self.was_loaded = False


def _known_tokens(request: Any) -> list[int]:
    """Prompt and answer so far; not to be changed. vLLM's view of them would have to be copied one by one."""
    tokens = getattr(request, "_all_token_ids", None)
    return tokens if isinstance(tokens, list) else list(request.all_token_ids)


def _salt_of(request: Any) -> str:
    """The cache salt; a LoRA adapter changes the cache, but not the tokens, so it is part of the salt."""
    salt: str = getattr(request, "cache_salt", None) or ""
    lora = getattr(request, "lora_request", None)
    if lora is None:
        return salt
    return hashlib.sha256(f"{salt}\0lora:{lora.lora_name}:{getattr(lora, 'lora_path', '')}".encode()).hexdigest()
