# lmcache · SPDX-License-Identifier: Apache-2.0
"""Schedulers of older vLLM releases."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from fabricated import output

from lmcache.integration.vllm.older_outputs import normalized


def older(running: Any, blocks: Any) -> Any:
    return SimpleNamespace(
        scheduled_new_reqs=[SimpleNamespace(req_id="n", block_ids=blocks, num_computed_tokens=3, lora_request=None)],
        scheduled_cached_reqs=running,
        num_scheduled_tokens={"n": 5, "a": 1, "b": 1},
        finished_req_ids={"x"},
    )


def check(found: Any) -> None:
    (new,) = found.scheduled_new_reqs
    assert (new.req_id, [list(ids) for ids in new.block_ids], new.num_computed_tokens) == ("n", [[1, 2]], 3)
    running = found.scheduled_cached_reqs
    assert (running.req_ids, running.resumed_req_ids, running.num_computed_tokens) == (["a", "b"], {"b"}, [7, 8])
    assert [[list(ids) for ids in groups] for groups in running.new_block_ids] == [[[]], [[4, 5]]]
    assert (found.num_scheduled_tokens, found.finished_req_ids) == ({"n": 5, "a": 1, "b": 1}, {"x"})


def test_todays_output_is_left_as_it_is() -> None:
    today = output(new=[("a", [[1]], 0, 8)])
    assert normalized(today) is today


def test_flags_for_resumed_requests() -> None:
    running = SimpleNamespace(
        req_ids=["a", "b"],
        resumed_from_preemption=[False, True],
        new_block_ids=[([],), ([4, 5],)],
        num_computed_tokens=[7, 8],
    )
    check(normalized(older(running, ([1, 2],))))


def test_a_list_of_running_requests_with_flat_block_ids() -> None:
    running = [
        SimpleNamespace(req_id="a", resumed_from_preemption=False, new_block_ids=[], num_computed_tokens=7),
        SimpleNamespace(req_id="b", resumed_from_preemption=True, new_block_ids=[4, 5], num_computed_tokens=8),
    ]
    check(normalized(older(running, [1, 2])))
