# lmcache · SPDX-License-Identifier: Apache-2.0
"""Receipts of deferred stores: one for each store and worker, whatever happens to it."""

from __future__ import annotations

import pickle
from types import SimpleNamespace
from typing import Any

import pytest

from lmcache.integration.vllm.lazy_worker_side import LazyWorkerSide
from lmcache.integration.vllm.load_store_op import LoadStoreOp
from lmcache.integration.vllm.step_plan import StepPlan
from lmcache.integration.vllm.store_receipts import StoreReceipts
from lmcache.integration.vllm.transfer_entry import TransferEntry
from lmcache.v1.multiprocess.futures import MessagingFuture


def entry(number: int) -> TransferEntry:
    return TransferEntry("a", LoadStoreOp([], [[1]], 0, 16), receipt=number)


def test_store_is_told_once_when_it_ended() -> None:
    receipts = StoreReceipts(is_writer=True)
    good: MessagingFuture[bool] = MessagingFuture()
    bad: MessagingFuture[bool] = MessagingFuture()
    broken: MessagingFuture[bool] = MessagingFuture()
    receipts.expect([entry(1), entry(2), entry(3)], [good, bad, broken])
    assert receipts.take() == ({}, set())
    good.set_result(True)
    bad.set_result(False)
    assert receipts.take() == ({1: 1, 2: 1}, {2})
    broken.set_exception(ConnectionError("gone"))
    assert receipts.take() == ({3: 1}, {3})
    assert receipts.take() == ({}, set())


@pytest.mark.parametrize("is_writer", [False, True])
def test_store_that_did_not_begin_is_told_too(is_writer: bool) -> None:
    receipts = StoreReceipts(is_writer)
    receipts.expect([entry(1)], [None])
    assert receipts.take() == ({1: 1}, {1} if is_writer else set())


def test_receipts_of_workers_add_up() -> None:
    pytest.importorskip("vllm")
    from lmcache.integration.vllm.lazy_metadata import LMCacheMPWorkerMetadata

    one, two = LMCacheMPWorkerMetadata({1: 1, 2: 1}, {2}), LMCacheMPWorkerMetadata({2: 1, 3: 1}, {3})
    merged = pickle.loads(pickle.dumps(one)).aggregate(pickle.loads(pickle.dumps(two)))
    assert merged == LMCacheMPWorkerMetadata({1: 1, 2: 2, 3: 1}, {2, 3})
    assert one.completed == {1: 1, 2: 1}


class _Adapter:
    """A worker adapter whose stores never begin."""

    chunk_size = 16
    parallel_strategy = SimpleNamespace(is_writer=True)

    def __init__(self) -> None:
        self.begun = 0

    def create_recorded_event(self) -> None: ...

    def batched_submit_store_requests(self, request_ids: list[str], *_: Any) -> list[None]:
        self.begun += len(request_ids)
        return [None] * len(request_ids)

    def get_finished(self, announced: set[str]) -> tuple[None, None]:
        assert not announced, "the engine keeps no blocks, so it waits for nobody"
        return None, None


def test_worker_answers_for_stores_that_it_withholds() -> None:
    adapter: Any = _Adapter()
    geometry: Any = SimpleNamespace(groups=())
    worker = LazyWorkerSide(adapter, geometry)
    worker.store(StepPlan(stores=[entry(1)]))
    assert worker.receipts.take() == ({1: 1}, {1}) and adapter.begun == 1
    worker._withheld_steps = 1
    worker.store(StepPlan(stores=[entry(2)]))
    assert worker.receipts.take() == ({2: 1}, {2}) and adapter.begun == 1
    assert worker.finished({"a"}) == (None, None)
