# lmcache · SPDX-License-Identifier: Apache-2.0
"""What the in-process connector makes of the resolved configuration, the engine's and the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

FORCE_SKIP_VARIABLE = "LMCACHE_FORCE_SKIP_SAVE"
_TRUE = ("1", "true", "yes", "on")


@dataclass(frozen=True, slots=True)
class InProcessSettings:
    """The values that the connector itself needs; the cache has the whole configuration."""

    chunk_size: int
    is_looking_up: bool
    is_storing: bool
    save_decode_cache: bool
    use_layerwise: bool
    min_retrieve_tokens: int
    max_tokens_per_load: int
    skip_last_tokens: int
    priority_limit: int | None
    lookup_timeout: float
    enable_kv_events: bool

    @staticmethod
    def of(resolved: Mapping[str, Any], extra: Mapping[str, Any], kv_role: str | None) -> InProcessSettings:
        """Joins the sources. Raises `ValueError` with the name of what is no number."""
        limit = resolved.get("priority_limit")
        return InProcessSettings(
            chunk_size=_count("chunk_size", resolved.get("chunk_size", 256)),
            is_looking_up=kv_role != "kv_producer",
            is_storing=kv_role != "kv_consumer" and not os.environ.get(FORCE_SKIP_VARIABLE),
            save_decode_cache=bool(resolved.get("save_decode_cache", False)),
            use_layerwise=bool(resolved.get("use_layerwise", False)),
            min_retrieve_tokens=_count("min_retrieve_tokens", resolved.get("min_retrieve_tokens") or 0),
            max_tokens_per_load=_count("max_tokens_per_load", extra.get("lmcache.max_tokens_per_load") or 0),
            skip_last_tokens=_count("skip_last_n_tokens", extra.get("skip_last_n_tokens") or 0),
            priority_limit=None if limit is None else int(limit),
            lookup_timeout=max(1, _count("lookup_timeout_ms", resolved.get("lookup_timeout_ms") or 3000)) / 1000,
            enable_kv_events=bool(resolved.get("enable_kv_events", False)),
        )

    def most_stored(self, request: Any, configs: Mapping[str, Any] | None) -> int | None:
        """How many tokens of a request are stored at most, none for no limit."""
        priority = getattr(request, "priority", None) or 0
        if is_set((configs or {}).get("lmcache.skip_save")):
            return 0
        if self.priority_limit is not None and priority > self.priority_limit:
            return 0
        return max(0, len(request.all_token_ids) - self.skip_last_tokens) if self.skip_last_tokens else None


def is_set(given: Any) -> bool:
    """Whether an option of a request is true, as JSON or as a text."""
    return given is True or given == 1 or (isinstance(given, str) and given.lower() in _TRUE)


def _count(name: str, given: Any) -> int:
    try:
        number = int(given)
    except (TypeError, ValueError):
        number = -1
    if number < 0:
        raise ValueError(f"{name} is {given!r}; it must be a number of at least 0")
    return number
