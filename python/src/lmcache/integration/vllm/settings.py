# lmcache · SPDX-License-Identifier: Apache-2.0
"""`kv_connector_extra_config` (keys `lmcache.mp.*`) and the options of single requests."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_PREFIX = "lmcache.mp."
_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off", ""}
_MODES = ("auto", "engine_driven", "lmcache_driven")
_UNSUPPORTED = ("lazy_offload", "transfer_intermediate_tensors", "autostart", "isolated_ipc", "use_vmm_api")
_SCHEMES = ("tcp://", "ipc://", "inproc://")


def normalized_url(text: str) -> str:
    """A server's address with its scheme. Raises `ValueError` for another transport."""
    if "://" not in text:
        return f"tcp://{text}"
    if not text.startswith(_SCHEMES):
        raise ValueError(f"server address {text!r}: the schemes are {', '.join(_SCHEMES)}")
    return text


@dataclass(frozen=True)
class ConnectorSettings:
    """The resolved values."""

    urls: list[str]
    mq_timeout: float
    heartbeat_interval: float
    mode: str
    eager_prefetch: bool
    save_decode_cache: bool

    @staticmethod
    def parse(extra: Mapping[str, Any]) -> ConnectorSettings:
        """Reads the configuration. Raises `ValueError` with the key, what was given and what is accepted."""

        def value(name: str, default: Any) -> Any:
            return extra.get(_PREFIX + name, default)

        for name in _UNSUPPORTED:
            if _flag(name, value(name, False)):
                raise ValueError(f"{_PREFIX}{name} is not supported")
        save_decode_cache = value("save_decode_cache", False)
        if not isinstance(save_decode_cache, bool):
            raise ValueError(f"{_PREFIX}save_decode_cache is {save_decode_cache!r}; it must be true or false")
        mode = str(value("mp_transfer_mode", os.environ.get("LMCACHE_MP_TRANSFER_MODE", "auto"))).lower()
        if mode not in _MODES:
            raise ValueError(f"{_PREFIX}mp_transfer_mode is {mode!r}; it must be one of {', '.join(_MODES)}")
        return ConnectorSettings(
            urls=_servers(value("server_urls", None), value("host", "tcp://localhost"), value("port", 5555)),
            mq_timeout=_positive("mq_timeout", value("mq_timeout", 300.0)),
            heartbeat_interval=_positive("heartbeat_interval", value("heartbeat_interval", 10.0)),
            mode=mode,
            eager_prefetch=_flag("eager_prefetch", value("eager_prefetch", False)),
            save_decode_cache=save_decode_cache,
        )


def _servers(urls: Any, host: Any, port: Any) -> list[str]:
    if urls:
        parts = urls.split(",") if isinstance(urls, str) else list(urls)
        return [normalized_url(str(part).strip()) for part in parts if str(part).strip()]
    address = normalized_url(str(host))
    return [address if address.startswith(("ipc://", "inproc://")) else f"{address}:{int(port)}"]


def _positive(name: str, given: Any) -> float:
    try:
        number = float(given)
    except (TypeError, ValueError):
        number = 0.0
    if not 0 < number < float("inf"):
        raise ValueError(f"{_PREFIX}{name} is {given!r}; it must be a positive number of seconds")
    return number


def _flag(name: str, given: Any) -> bool:
    if isinstance(given, bool):
        return given
    text = str(given).strip().lower()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError(f"{_PREFIX}{name} is {given!r}; it must be true or false")


def request_configs(request: Any) -> dict[str, Any] | None:
    """The entries of a request's `kv_transfer_params` that are meant for the cache."""
    sampling = getattr(request, "sampling_params", None)
    arguments = getattr(sampling, "extra_args", None) or {}
    parameters = arguments.get("kv_transfer_params") if isinstance(arguments, dict) else None
    if not isinstance(parameters, dict):
        return None
    chosen = {key: item for key, item in parameters.items() if isinstance(key, str) and key.startswith("lmcache.")}
    return chosen or None


def is_usable_salt(salt: str) -> bool:
    """Whether the server accepts a cache salt."""
    return len(salt) <= 128 and not any(character in salt for character in "@/\\\0")
