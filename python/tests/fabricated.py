# lmcache · SPDX-License-Identifier: Apache-2.0
"""Requests and scheduler outputs as vLLM makes them, with only what the connector reads."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any


def request(name: str, tokens: list[int], **more: Any) -> SimpleNamespace:
    fields: dict[str, Any] = {
        "request_id": name,
        "cache_salt": None,
        "all_token_ids": tokens,
        "prompt_token_ids": tokens,
        "prompt_embeds": None,
        "num_prompt_tokens": len(tokens),
        "num_tokens": len(tokens),
        "num_preemptions": 0,
        "mm_features": [],
        "sampling_params": None,
        "kv_transfer_params": None,
        "lora_request": None,
        **more,
    }
    return SimpleNamespace(**fields)


def output(
    new: list[tuple[str, list[list[int]], int, int]] | None = None,
    running: list[tuple[str, list[list[int]] | None, int, int]] | None = None,
    resumed: set[str] | None = None,
    preempted: set[str] | None = None,
) -> SimpleNamespace:
    """Entries are `(request, block ids per group, computed, scheduled)`."""
    new, running = new or [], running or []
    return SimpleNamespace(
        scheduled_new_reqs=[
            SimpleNamespace(req_id=name, block_ids=tuple(blocks), num_computed_tokens=computed)
            for name, blocks, computed, _ in new
        ],
        scheduled_cached_reqs=SimpleNamespace(
            req_ids=[entry[0] for entry in running],
            resumed_req_ids=resumed or set(),
            new_block_ids=[None if entry[1] is None else tuple(entry[1]) for entry in running],
            num_computed_tokens=[entry[2] for entry in running],
        ),
        num_scheduled_tokens={entry[0]: entry[3] for entry in [*new, *running]},
        preempted_req_ids=preempted or set(),
        finished_req_ids=set(),
    )


class StubAdapter:
    """A scheduler adapter whose results are set by the test."""

    chunk_size = 16
    keeps_groups_apart = False

    def __init__(self) -> None:
        self.hits: dict[str, int | None] = {}
        self.lookups: list[tuple[str, list[int], str, Any]] = []
        self.freed: list[tuple[str, int, int]] = []
        self.ended: list[str] = []

    def maybe_submit_lookup_request(
        self, request_id: str, token_ids: list[int], cache_salt: str = "", request_configs: Any = None
    ) -> None:
        self.lookups.append((request_id, list(token_ids), cache_salt, request_configs))

    def check_lookup_result(self, request_id: str) -> int | None:
        return self.hits.get(request_id, 0)

    def surplus_of(self, request_id: str) -> int:
        return self.hits.get(request_id) or 0

    def cleanup_lookup_result(self, request_id: str) -> None:
        self.hits.pop(request_id, None)

    def free_lookup_locks(self, tokens: list[int], start: int, end: int, request_id: str, *_: Any) -> None:
        if start < end - end % self.chunk_size:
            self.freed.append((request_id, start, end))

    def end_session(self, request_id: str) -> None:
        self.ended.append(request_id)
