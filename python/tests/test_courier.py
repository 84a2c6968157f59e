# lmcache · SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import threading

from lmcache.wire.courier import Courier


def test_errands_run_in_order_on_another_thread() -> None:
    courier = Courier("test")
    seen: list[tuple[int, int]] = []
    for index in range(100):
        courier.hand(lambda number: seen.append((number, threading.get_ident())), index)
    courier.close()
    assert [number for number, _ in seen] == list(range(100))
    assert threading.get_ident() not in {thread for _, thread in seen}


def test_failed_errand_does_not_end_the_others() -> None:
    courier = Courier("test")
    seen: list[str] = []

    def fail() -> None:
        raise ValueError("no")

    courier.hand(fail)
    courier.hand(seen.append, "after")
    courier.close()
    assert seen == ["after"]


def test_errands_after_the_end_run_at_once() -> None:
    courier = Courier("test")
    courier.close()
    courier.close()
    seen: list[int] = []
    courier.hand(lambda: seen.append(threading.get_ident()))
    assert seen == [threading.get_ident()]


def test_end_does_not_wait_for_an_errand_without_end() -> None:
    courier = Courier("test")
    gate = threading.Event()
    courier.hand(gate.wait, 30)
    courier.close(timeout=0.01)
    gate.set()


def test_waiting_ends_behind_the_errands_or_in_time() -> None:
    courier = Courier("test")
    seen: list[int] = []
    courier.hand(seen.append, 1)
    assert courier.wait(5)
    assert seen == [1]
    gate = threading.Event()
    courier.hand(gate.wait, 30)
    assert not courier.wait(0.01)
    gate.set()
    courier.close()
    assert courier.wait(5)
