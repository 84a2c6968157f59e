# lmcache · SPDX-License-Identifier: Apache-2.0
"""Loads that their step waits for: the gate opens in order, always, and nothing bad is taken for good."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from waiting import eventually

from lmcache.integration.vllm.inline_loads import InlineLoad, InlineLoads
from lmcache.transfer.job import TransferJob
from lmcache.v1.multiprocess.futures import DeviceMessagingFuture, MessagingFuture
from lmcache.wire.types import CacheKey


class FakeGate:
    """A gate that stands for a device's stream."""

    def __init__(self, holds: bool = True) -> None:
        self.holds = holds
        self.held: list[int] = []
        self.raised: list[int] = []

    def hold(self, number: int) -> bool:
        self.held.append(number)
        return self.holds

    def raise_to(self, number: int) -> None:
        self.raised.append(number)


def load(name: str, future: Any, blocks: set[int] | None = None) -> InlineLoad:
    key = CacheKey("m", 1, 0, b"", 0, 0, name, "", None, 1)
    return InlineLoad(name, TransferJob(key, [[]]), blocks or {1}, future)


def device_future() -> tuple[MessagingFuture[Any], DeviceMessagingFuture[Any]]:
    future: MessagingFuture[Any] = MessagingFuture()
    return future, future.to_device_future()


def test_the_device_waits_and_the_host_does_not() -> None:
    gate = FakeGate()
    loads = InlineLoads(gate, 10)
    answer, future = device_future()
    loads.begin([load("a", future)])
    loads.hold()
    assert (gate.held, gate.raised) == ([1], [])
    answer.set_result((b"", True))
    assert gate.raised == [1]
    assert loads.settle() == [] and loads.settle() == []


@pytest.mark.parametrize(
    "end",
    [
        lambda answer: answer.set_result((b"", False)),
        lambda answer: answer.set_result((b"x" * 64, True)),  # An event says nothing about the bytes yet.
        lambda answer: answer.set_exception(ConnectionError("gone")),
        lambda answer: answer.set_result(None),
    ],
)
def test_any_other_answer_opens_the_gate_and_counts_as_failed(end: Any) -> None:
    gate = FakeGate()
    loads = InlineLoads(gate, 10)
    answer, future = device_future()
    loads.begin([load("a", future)])
    end(answer)
    assert gate.raised == [1]
    assert [one.request_id for one in loads.settle()] == ["a"]
    assert loads.settle() == []


def test_a_load_that_could_not_begin_has_failed() -> None:
    gate = FakeGate()
    loads = InlineLoads(gate, 10)
    answer, future = device_future()
    loads.begin([load("a", None), load("b", future)])
    assert gate.raised == []
    answer.set_result((b"", True))
    assert gate.raised == [1]
    assert [one.request_id for one in loads.settle()] == ["a"]


def test_an_answer_may_come_before_the_device_gets_to_the_gate() -> None:
    gate = FakeGate()
    loads = InlineLoads(gate, 10)
    answer, future = device_future()
    loads.begin([load("a", future)])
    answer.set_result((b"", True))
    loads.hold()
    loads.hold()
    assert (gate.held, gate.raised) == ([1], [1])


def test_a_later_step_does_not_open_the_gate_of_an_earlier_one() -> None:
    gate = FakeGate()
    loads = InlineLoads(gate, 10)
    first, future = device_future()
    loads.begin([load("a", future)])
    second, future = device_future()
    loads.begin([load("b", future)])
    second.set_result((b"", True))
    assert gate.raised == []
    first.set_result((b"", True))
    assert gate.raised == [1, 2]


def test_nothing_is_waited_for_longer_than_allowed_even_if_nobody_settles() -> None:
    gate = FakeGate()
    loads = InlineLoads(gate, 0.1)
    answer, future = device_future()
    one = load("a", future)
    loads.begin([one])
    loads.hold()
    eventually(lambda: gate.raised == [1])
    assert one.job.is_cancelled
    # What comes too late changes nothing.
    answer.set_result((b"", True))
    assert [one.request_id for one in loads.settle()] == ["a"]
    loads.close()


@pytest.mark.parametrize("gate", [None, FakeGate(holds=False)])
def test_without_a_gate_the_host_waits(gate: Any) -> None:
    loads = InlineLoads(gate, 10)
    future: MessagingFuture[bool] = MessagingFuture()
    threading.Timer(0.1, lambda: future.set_result(True)).start()
    began = time.monotonic()
    loads.begin([load("a", future)])
    loads.hold()
    assert 0.09 < time.monotonic() - began < 5
    assert loads.settle() == []


def test_without_a_gate_the_host_waits_no_longer_than_allowed() -> None:
    loads = InlineLoads(None, 0.1)
    loads.begin([load("a", MessagingFuture())])
    loads.hold()
    assert [one.request_id for one in loads.settle()] == ["a"]


def test_settling_waits_for_the_answer() -> None:
    loads = InlineLoads(FakeGate(), 10)
    answer, future = device_future()
    loads.begin([load("a", future)])
    threading.Timer(0.1, lambda: answer.set_result((b"", True))).start()
    assert loads.settle() == []


def test_closing_lets_the_device_go_on() -> None:
    gate = FakeGate()
    loads = InlineLoads(gate, 10)
    loads.begin([load("a", device_future()[1])])
    loads.begin([load("b", device_future()[1])])
    loads.close()
    assert gate.raised == [1, 2]


def test_many_steps_from_many_threads() -> None:
    gate = FakeGate()
    loads = InlineLoads(gate, 10)
    answers = []
    for number in range(200):
        futures = [device_future() for _ in range(3)]
        loads.begin([load(f"{number}-{index}", future[1]) for index, future in enumerate(futures)])
        answers += [(number, index, future[0]) for index, future in enumerate(futures)]

    def answer(part: int) -> None:
        for number, index, future in answers[part::4]:
            future.set_result((b"", (number + index) % 7 != 0))

    threads = [threading.Thread(target=answer, args=(part,)) for part in range(4)]
    for thread in threads:
        thread.start()
    failed = {one.request_id for one in loads.settle()}
    for thread in threads:
        thread.join()
    assert failed == {f"{number}-{index}" for number in range(200) for index in range(3) if (number + index) % 7 == 0}
    assert gate.raised == list(range(1, 201))
