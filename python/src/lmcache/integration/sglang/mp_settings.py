# lmcache · SPDX-License-Identifier: Apache-2.0
"""Where the cache server is and how long to wait for it, as SGLang's configuration file says."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from lmcache.integration.sglang.utils import lmcache_get_config
from lmcache.integration.vllm.settings import normalized_url

DEFAULT_PORT = 5555
DEFAULT_MQ_TIMEOUT = 300.0
DEFAULT_HEARTBEAT_INTERVAL = 10.0
_MODES = ("auto", "engine_driven", "lmcache_driven")


@dataclass(frozen=True)
class MPSettings:
    """The resolved values; times in seconds."""

    url: str
    mq_timeout: float = DEFAULT_MQ_TIMEOUT
    heartbeat_interval: float = DEFAULT_HEARTBEAT_INTERVAL
    mode: str = "auto"

    @property
    def transfer_timeout(self) -> float:
        """How long one request of a transfer may take: as long as the pings need that find a dead server out."""
        return min(self.mq_timeout, 2 * self.heartbeat_interval + 1)

    @staticmethod
    def load(config_file: str | None) -> MPSettings:
        """Reads the file, or that of LMCACHE_CONFIG_FILE. Raises `ValueError` naming the key, or `OSError`."""
        config = lmcache_get_config(config_file or "")
        if not config.mp_host:
            raise ValueError(
                "the LMCache configuration has no mp_host; give SGLang a file with mp_host and mp_port by"
                " --lmcache-config-file or LMCACHE_CONFIG_FILE"
            )
        return MPSettings.of(str(config.mp_host), config.mp_port, config.extra_config or {})

    @staticmethod
    def of(host: str, port: Any, extra: dict[str, Any] | None = None) -> MPSettings:
        """From an address and `extra_config`. Raises `ValueError` naming the key."""
        extra = extra or {}
        mode = extra.get("lmcache.mp.mp_transfer_mode") or os.environ.get("LMCACHE_MP_TRANSFER_MODE") or "auto"
        if str(mode).lower() not in _MODES:
            raise ValueError(f"lmcache.mp.mp_transfer_mode is {mode!r}; it must be one of {', '.join(_MODES)}")
        return MPSettings(
            _url(host, port),
            _seconds("lmcache.mp.mq_timeout", extra, DEFAULT_MQ_TIMEOUT),
            _seconds("lmcache.mp.heartbeat_interval", extra, DEFAULT_HEARTBEAT_INTERVAL),
            str(mode).lower(),
        )


def _url(host: str, port: Any) -> str:
    address = normalized_url(host.rstrip(":"))
    if address.startswith(("ipc://", "inproc://")):
        return address
    try:
        number = int(port)
    except (TypeError, ValueError):
        number = 0
    if not 0 < number < 65536:
        raise ValueError(f"mp_port is {port!r}; it must be a port number")
    return f"{address}:{number}"


def _seconds(name: str, extra: dict[str, Any], default: float) -> float:
    given = extra.get(name, default)
    try:
        number = float(given)
    except (TypeError, ValueError):
        number = 0.0
    if not 0 < number < float("inf"):
        raise ValueError(f"{name} is {given!r}; it must be a positive number of seconds")
    return number
