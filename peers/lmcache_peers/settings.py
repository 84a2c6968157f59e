# lmcache · SPDX-License-Identifier: Apache-2.0
"""Where things are, as given by the environment."""

from __future__ import annotations

import os
import pathlib
import shlex
import socket

CHECKOUT = pathlib.Path(__file__).resolve().parent.parent.parent
PEERS = pathlib.Path(os.environ.get("LMCACHE_PEERS_DIR") or CHECKOUT / ".peers").absolute()
ENVIRONMENT = PEERS / "vllm"
MODEL = PEERS / "model"
LOGS = PEERS / "logs"

LOCAL = "127.0.0.1"


def original_command() -> list[str]:
    """The original's own command line program."""
    return [str(ENVIRONMENT / "bin" / "lmcache")]


def server_command() -> list[str]:
    """The server under test up to and including `server`; the original's when none is given."""
    given = shlex.split(os.environ.get("LMCACHE_SERVER_COMMAND", "")) or original_command()
    return given if given[-1] == "server" else [*given, "server"]


def client_environment() -> dict[str, str]:
    """What makes an engine load the `lmcache` package of LMCACHE_PEERS_CLIENT instead of the installed one."""
    client = os.environ.get("LMCACHE_PEERS_CLIENT", "")
    return {"PYTHONPATH": str(pathlib.Path(client).absolute())} if client else {}


def child_environment(extra: dict[str, str] | None = None) -> dict[str, str]:
    """The environment of engines, servers and client programs: nothing is fetched and nothing is reported."""
    return {
        **os.environ,
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "LMCACHE_TRACK_USAGE": "false",
        "PYTHONUNBUFFERED": "1",
        **(extra or {}),
    }


def free_port() -> int:
    """A TCP port of the loopback interface that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((LOCAL, 0))
        return int(probe.getsockname()[1])
