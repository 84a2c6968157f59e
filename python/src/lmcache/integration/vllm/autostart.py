# lmcache · SPDX-License-Identifier: Apache-2.0
"""Starts a server for an engine that finds none."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, Protocol

from lmcache.integration.vllm.settings import AutostartSettings
from lmcache.utils import init_logger
from lmcache.wire.client import WireClient

logger = init_logger(__name__)

PROBE_SECONDS = 1.0
PAUSE_SECONDS = 0.25
STOP_SECONDS = 10.0

_MODE_OPTION = "--supported-transfer-mode"


class Child(Protocol):
    """A process."""

    def poll(self) -> int | None:
        """Its exit status, none while it runs."""

    def terminate(self) -> None:
        """Asks it to end."""

    def wait(self, timeout: float | None = None) -> int:
        """Waits for its end."""

    def kill(self) -> None:
        """Ends it."""


def server_command(url: str, settings: AutostartSettings) -> list[str]:
    """What is started for a local TCP address."""
    host, port = url.removeprefix("tcp://").rsplit(":", 1)
    # Without this option a server serves GPUs only.
    modes = [] if any(word.startswith(_MODE_OPTION) for word in settings.server_args) else [_MODE_OPTION, "auto"]
    # The module becomes the program, so that the process is the server itself.
    module = [sys.executable, "-m", "lmcache.v1.multiprocess.http_server"]
    return [*module, "--host", host, "--port", port, "--http-host", host, *modes, *settings.server_args]


def answers(url: str, context: Any = None) -> bool:
    """Whether a server answers there."""
    client = WireClient(url, context, PROBE_SECONDS)
    try:
        return bool(client.call("ping", None, timeout=PROBE_SECONDS))
    except Exception:
        return False
    finally:
        client.close()


def launched(command: list[str]) -> Child:
    """Starts the command; its output goes where the engine's goes."""
    return subprocess.Popen(command, stdin=subprocess.DEVNULL)


def ensure_server(
    url: str,
    settings: AutostartSettings,
    is_launcher: bool,
    *,
    probe: Callable[[str], bool] = answers,
    launch: Callable[[list[str]], Child] = launched,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Child | None:
    """Returns when a server answers at `url`: one that was there, or the one that the launcher starts.

    What was started outlives the connector, and is returned. Raises `ConnectionError` when none answers within
    `wait_timeout`, or when the one started ends before; nothing that was started is left then.
    """
    if probe(url):
        logger.info("a cache server answers at %s already", url)
        return None
    child = None
    if is_launcher:
        command = server_command(url, settings)
        logger.info("starting a cache server: %s", " ".join(command))
        child = launch(command)
    deadline = clock() + settings.wait_timeout
    while clock() < deadline:
        if probe(url):
            logger.info("the cache server at %s answers", url)
            return child
        status = None if child is None else child.poll()
        if status is not None:
            raise ConnectionError(f"the cache server for {url} ended with status {status} before it answered")
        sleep(PAUSE_SECONDS)
    if child is not None:
        _end(child)
    raise ConnectionError(f"no cache server answered at {url} within {settings.wait_timeout} s")


def _end(child: Child) -> None:
    child.terminate()
    try:
        child.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait(STOP_SECONDS)
