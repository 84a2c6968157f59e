# lmcache · SPDX-License-Identifier: Apache-2.0
"""What older vLLM schedulers put out, in the form of today's."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any


def normalized(output: Any) -> Any:
    """The output itself, or one with the fields that it had under other names.

    Up to vLLM 0.9.0 running requests are a list of objects and block ids are flat; up to 0.11 resumed requests are
    flags.
    """
    running = output.scheduled_cached_reqs
    if hasattr(running, "resumed_req_ids"):
        return output
    if isinstance(running, list):
        running = SimpleNamespace(
            req_ids=[item.req_id for item in running],
            resumed_from_preemption=[item.resumed_from_preemption for item in running],
            new_block_ids=[item.new_block_ids for item in running],
            num_computed_tokens=[item.num_computed_tokens for item in running],
        )
    flags = zip(running.req_ids, running.resumed_from_preemption, strict=True)
    return SimpleNamespace(
        scheduled_new_reqs=[
            SimpleNamespace(
                req_id=new.req_id, block_ids=_by_group(new.block_ids), num_computed_tokens=new.num_computed_tokens
            )
            for new in output.scheduled_new_reqs
        ],
        scheduled_cached_reqs=SimpleNamespace(
            req_ids=running.req_ids,
            resumed_req_ids={request_id for request_id, is_resumed in flags if is_resumed},
            new_block_ids=[None if ids is None else _by_group(ids) for ids in running.new_block_ids],
            num_computed_tokens=running.num_computed_tokens,
        ),
        num_scheduled_tokens=output.num_scheduled_tokens,
        preempted_req_ids=set(),
        finished_req_ids=output.finished_req_ids,
    )


def _by_group(block_ids: Sequence[Any]) -> Sequence[Any]:
    return [block_ids] if not block_ids or isinstance(block_ids[0], int) else block_ids
