# lmcache · SPDX-License-Identifier: Apache-2.0
"""`kv_connector_extra_config` (keys `lmcache.mp.*`) and the options of single requests."""

from __future__ import annotations

import difflib
import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lmcache.integration.vllm import settings_values as values
from lmcache.integration.vllm.settings_values import Reader, normalized_url

__all__ = ["ConnectorSettings", "is_usable_salt", "normalized_url", "request_configs"]

PREFIX = "lmcache.mp."
LOAD_MODES = ("async", "inline", "auto")

_KEYS: dict[str, tuple[Any, Reader]] = {
    "server_urls": (None, values.servers),
    "host": ("tcp://localhost", values.text),
    "port": (5555, values.port),
    "mq_timeout": (300.0, values.seconds),
    "heartbeat_interval": (10.0, values.seconds),
    "nonblocking_lookup_status": (True, values.flag),
    "load_mode": ("auto", values.choice(LOAD_MODES)),
    "mp_transfer_mode": ("auto", values.choice(("auto", "engine_driven", "lmcache_driven"))),
    "isolated_ipc": (False, values.flag),
    "use_vmm_api": (False, values.flag),
    "hash_algorithm": ("blake3", values.choice(("blake3", "sha256_cbor"))),
    "eager_prefetch": (False, values.flag),
    "save_decode_cache": (False, values.strict_flag),
    "lazy_offload": (False, values.flag),
    "lazy_offload_policy": ("EVICTION_AWARE", values.choice(("EVICTION_AWARE", "FIFO"))),
    "lazy_offload_horizon_steps": (None, values.optional_amount),
    "lazy_offload_max_drain_per_step": (64, values.count),
    "lazy_offload_max_deferral_seconds": (0.0, values.optional_seconds),
    "lazy_offload_threshold": (100, values.count),
    "lazy_offload_select_count": (10, values.count),
    "transfer_intermediate_tensors": (False, values.flag),
    "autostart": (False, values.flag),
    "autostart.server_args": ("", values.text),
    "autostart.wait_timeout": (90.0, values.seconds),
}

_REFUSED = {
    "transfer_intermediate_tensors": "query tensors are not kept",
    "isolated_ipc": "memory is shared by name, so engine and server need one IPC namespace",
    "use_vmm_api": "memory from the CUDA virtual memory interface cannot be shared yet",
}

_ENVIRONMENT = {"mp_transfer_mode": "LMCACHE_MP_TRANSFER_MODE"}

_LOCAL = ("tcp://localhost:", "tcp://127.0.0.1:")
_SERVER_ARGUMENTS_TAKEN = ("--host", "--port", "--http-host")


@dataclass(frozen=True)
class LazyOffloadSettings:
    """When stores are put off, and until when."""

    policy: str
    horizon_steps: float | None
    max_drain_per_step: int
    max_deferral_seconds: float
    threshold: int
    select_count: int


@dataclass(frozen=True)
class AutostartSettings:
    """How a server is started, and how long the others wait for it."""

    server_args: tuple[str, ...]
    wait_timeout: float


@dataclass(frozen=True)
class ConnectorSettings:
    """The resolved values; `lazy_offload` and `autostart` are none when they are off."""

    urls: list[str]
    mq_timeout: float
    heartbeat_interval: float
    mode: str
    eager_prefetch: bool
    save_decode_cache: bool
    hash_algorithm: str = "blake3"
    load_mode: str = "auto"
    lazy_offload: LazyOffloadSettings | None = None
    autostart: AutostartSettings | None = None
    resolved: tuple[tuple[str, Any, str], ...] = ()
    """Key, value and where it came from, of every key."""

    @staticmethod
    def parse(extra: Mapping[str, Any], environment: Mapping[str, str] = os.environ) -> ConnectorSettings:
        """Reads the configuration. Raises `ValueError` with the key, what was given and what is accepted."""
        _refuse_unknown(extra)
        found: dict[str, Any] = {}
        resolved: list[tuple[str, Any, str]] = []
        for name, (default, read) in _KEYS.items():
            given, source = _given(name, default, extra, environment)
            label = source if source.startswith("LMCACHE_") else PREFIX + name
            found[name] = default if source == "default" else read(label, given)
            resolved.append((PREFIX + name, found[name], source))
        for name, reason in _REFUSED.items():
            if found[name]:
                raise ValueError(f"{PREFIX}{name} is not supported: {reason}")
        urls = found["server_urls"] or [_single(found["host"], found["port"])]
        return ConnectorSettings(
            urls=urls,
            mq_timeout=found["mq_timeout"],
            heartbeat_interval=found["heartbeat_interval"],
            mode=found["mp_transfer_mode"],
            eager_prefetch=found["eager_prefetch"],
            save_decode_cache=found["save_decode_cache"],
            hash_algorithm=found["hash_algorithm"],
            load_mode=found["load_mode"],
            lazy_offload=_lazy_offload(found),
            autostart=_autostart(found, urls),
            resolved=tuple(resolved),
        )

    def lines(self) -> list[str]:
        """One line for each key, for the log: what was set with its source, then the defaults together."""
        set_by, defaults = [], []
        for key, value, source in self.resolved:
            if source == "default":
                defaults.append(f"{key.removeprefix(PREFIX)}={value!r}")
            else:
                set_by.append(f"{key} = {value!r} ({source})")
        return [*set_by, f"defaults of {PREFIX}*: {', '.join(defaults)}"]


def _given(name: str, default: Any, extra: Mapping[str, Any], environment: Mapping[str, str]) -> tuple[Any, str]:
    if PREFIX + name in extra:
        return extra[PREFIX + name], "kv_connector_extra_config"
    variable = _ENVIRONMENT.get(name)
    if variable is not None and environment.get(variable):
        return environment[variable], variable
    return default, "default"


def _refuse_unknown(extra: Mapping[str, Any]) -> None:
    for key in extra:
        name = key.removeprefix(PREFIX) if isinstance(key, str) and key.startswith(PREFIX) else None
        if name is None or name in _KEYS:
            continue
        close = difflib.get_close_matches(name, _KEYS, 1, 0.6)
        hint = f"did you mean {PREFIX}{close[0]}?" if close else f"known are {', '.join(_KEYS)}"
        raise ValueError(f"unknown key {key} in kv_connector_extra_config; {hint}")


def _single(host: str, port: int) -> str:
    address = normalized_url(host)
    return address if address.startswith(("ipc://", "inproc://")) else f"{address}:{port}"


def _lazy_offload(found: Mapping[str, Any]) -> LazyOffloadSettings | None:
    if not found["lazy_offload"]:
        return None
    return LazyOffloadSettings(
        policy=found["lazy_offload_policy"],
        horizon_steps=found["lazy_offload_horizon_steps"],
        max_drain_per_step=found["lazy_offload_max_drain_per_step"],
        max_deferral_seconds=found["lazy_offload_max_deferral_seconds"],
        threshold=found["lazy_offload_threshold"],
        select_count=found["lazy_offload_select_count"],
    )


def _autostart(found: Mapping[str, Any], urls: list[str]) -> AutostartSettings | None:
    if not found["autostart"]:
        return None
    if len(urls) > 1:
        raise ValueError(f"{PREFIX}autostart starts one server, but {PREFIX}server_urls names {len(urls)}")
    if not urls[0].startswith(_LOCAL):
        raise ValueError(
            f"{PREFIX}autostart starts a server on this machine only, at localhost or 127.0.0.1, not {urls[0]}"
        )
    try:
        arguments = tuple(shlex.split(found["autostart.server_args"]))
    except ValueError as error:
        raise ValueError(f"{PREFIX}autostart.server_args cannot be split: {error}") from error
    for argument in arguments:
        option = argument.split("=", 1)[0]
        if option in _SERVER_ARGUMENTS_TAKEN:
            raise ValueError(f"{PREFIX}autostart.server_args has {option}, which {PREFIX}host and {PREFIX}port say")
    return AutostartSettings(arguments, found["autostart.wait_timeout"])


def request_configs(request: Any) -> dict[str, Any] | None:
    """The entries of a request's `kv_transfer_params` that are meant for the cache."""
    sampling = getattr(request, "sampling_params", None)
    arguments = getattr(sampling, "extra_args", None)
    parameters = arguments.get("kv_transfer_params") if isinstance(arguments, dict) else None
    if not isinstance(parameters, dict):
        return None
    chosen = {key: item for key, item in parameters.items() if isinstance(key, str) and key.startswith("lmcache.")}
    return chosen or None


def is_usable_salt(salt: str) -> bool:
    """Whether the server accepts a cache salt."""
    return len(salt) <= 128 and not any(character in salt for character in "@/\\\0")
