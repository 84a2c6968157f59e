# lmcache · SPDX-License-Identifier: Apache-2.0
"""Starting a server: who does, how long the others wait, what is left behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from real_server import command, free_port

from lmcache.integration.vllm import autostart
from lmcache.integration.vllm.settings import AutostartSettings

URL = "tcp://127.0.0.1:5999"
SETTINGS = AutostartSettings(("--l1-size-gb", "1"), 10)


class FakeChild:
    def __init__(self, status: int | None = None, is_stubborn: bool = False) -> None:
        self.status, self.calls, self._is_stubborn = status, [], is_stubborn  # type: ignore[var-annotated]

    def poll(self) -> int | None:
        return self.status

    def terminate(self) -> None:
        self.calls.append("terminate")

    def kill(self) -> None:
        self.calls.append("kill")

    def wait(self, timeout: float | None = None) -> int:
        if self._is_stubborn and "kill" not in self.calls:
            raise subprocess.TimeoutExpired("server", timeout or 0)
        return 0


class World:
    """Time passes while waiting; the server answers from `ready_at` on."""

    def __init__(self, ready_at: float, child: FakeChild | None = None) -> None:
        self.now, self.ready_at, self.child = 0.0, ready_at, child or FakeChild()
        self.commands: list[list[str]] = []

    def ensure(self, is_launcher: bool) -> Any:
        def launch(command: list[str]) -> FakeChild:
            self.commands.append(command)
            return self.child

        def sleep(seconds: float) -> None:
            self.now += seconds

        return autostart.ensure_server(
            URL,
            SETTINGS,
            is_launcher,
            probe=lambda _: self.now >= self.ready_at,
            launch=launch,
            clock=lambda: self.now,
            sleep=sleep,
        )


def test_server_that_is_there_is_used() -> None:
    world = World(ready_at=0)
    assert world.ensure(True) is None and world.commands == []


def test_launcher_starts_one_and_waits() -> None:
    world = World(ready_at=3)
    assert world.ensure(True) is world.child
    assert world.commands == [
        [sys.executable, "-m", "lmcache.v1.multiprocess.http_server", "--host", "127.0.0.1", "--port", "5999"]
        + ["--http-host", "127.0.0.1"]
        + ["--supported-transfer-mode", "auto", "--l1-size-gb", "1"]
    ]


def test_others_only_wait() -> None:
    world = World(ready_at=3)
    assert world.ensure(False) is None and world.commands == []


def test_nothing_is_left_when_none_answers() -> None:
    world = World(ready_at=99)
    with pytest.raises(ConnectionError, match="no cache server answered at tcp://127.0.0.1:5999 within 10 s"):
        world.ensure(True)
    assert world.child.calls == ["terminate"] and 10 <= world.now < 11
    stubborn = World(ready_at=99, child=FakeChild(is_stubborn=True))
    with pytest.raises(ConnectionError):
        stubborn.ensure(True)
    assert stubborn.child.calls == ["terminate", "kill"]


def test_server_that_ends_at_once_is_an_error() -> None:
    world = World(ready_at=99, child=FakeChild(status=2))
    with pytest.raises(ConnectionError, match="ended with status 2"):
        world.ensure(True)
    assert world.now == 0


def test_given_transfer_mode_is_kept() -> None:
    given = AutostartSettings(("--supported-transfer-mode=engine_driven",), 1)
    assert autostart.server_command(URL, given)[-1] == "--supported-transfer-mode=engine_driven"


def test_real_server_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LMCACHE_PROGRAM", command()[0])
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1] / "src"))
    url = f"tcp://127.0.0.1:{free_port()}"
    arguments = ("--l1-size-gb", "0.0625", "--eviction-policy", "LRU", "--http-port", str(free_port()))
    child = autostart.ensure_server(url, AutostartSettings(arguments, 30), True)
    try:
        assert child is not None and autostart.answers(url)
        assert autostart.ensure_server(url, AutostartSettings(arguments, 30), True) is None
    finally:
        assert child is not None
        child.terminate()
        child.wait(10)
