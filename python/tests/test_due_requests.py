# lmcache · SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import random

from lmcache.integration.vllm.due_requests import DueRequests


def test_request_is_due_once_after_what_it_waited_for() -> None:
    due = DueRequests()
    due.wait("a", 3)
    due.advance(2)
    assert due.take() == []
    due.advance(1)
    assert due.take() == ["a"]
    assert due.take() == []
    assert len(due) == 0


def test_waiting_anew_replaces_what_was_waited_for() -> None:
    due = DueRequests()
    due.wait("a", 1)
    due.wait("a", 5)
    due.advance(4)
    assert due.take() == []
    due.wait("a", 0)
    assert due.take() == ["a"]
    due.advance(10)
    assert due.take() == []


def test_forgotten_requests_are_never_due() -> None:
    due = DueRequests()
    due.wait("a", 1)
    due.wait("b", 1)
    due.forget("a")
    due.forget("unknown")
    due.advance(1)
    assert due.take() == ["b"]


def test_nobody_is_late_whatever_the_steps_are() -> None:
    chance = random.Random(7)
    for _ in range(200):
        due, gained, wanted = DueRequests(), dict.fromkeys("abcd", 0), dict.fromkeys("abcd", 0)
        for name in gained:
            wanted[name] = chance.randrange(20)
            due.wait(name, wanted[name])
        for _ in range(30):
            step = {name: chance.randrange(4) for name in gained if chance.random() < 0.7}
            due.advance(max(step.values(), default=0))
            for name, count in step.items():
                gained[name] += count
            for name in due.take():
                gained[name], wanted[name] = 0, chance.randrange(1, 20)
                due.wait(name, wanted[name])
            assert all(gained[name] < max(1, wanted[name]) for name in gained)
