# lmcache · SPDX-License-Identifier: Apache-2.0
"""The configuration file that SGLang is given."""

from __future__ import annotations

import json
import os
from types import SimpleNamespace
from typing import Any

ENGINE_NAME = "sglang-instance"
LARGEST_FILE = 1 << 20
"""Bytes of a configuration file, at most."""

_DEFAULTS: dict[str, Any] = {
    "chunk_size": 256,
    "local_cpu": True,
    "max_local_cpu_size": 5.0,
    "use_layerwise": False,
    "mp_host": None,
    "mp_port": 5555,
    "extra_config": None,
}


def config_text(config_file: str = "") -> str:
    """The text of the file, of that of LMCACHE_CONFIG_FILE when none is named, or nothing.

    Raises `OSError` when it cannot be read, `ValueError` when it is too long or no text.
    """
    path = config_file or os.environ.get("LMCACHE_CONFIG_FILE", "")
    if not path:
        return ""
    with open(path, "rb") as file:
        content = file.read(LARGEST_FILE + 1)
    if len(content) > LARGEST_FILE:
        raise ValueError(f"{path} is longer than {LARGEST_FILE} bytes; that is no configuration")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 text") from error


def parse_config(text: str, origin: str) -> dict[str, Any]:
    """A YAML document as a mapping. Raises `ValueError` for anything else."""
    if not text.strip():
        return {}
    import yaml

    try:
        values = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(f"{origin} is not YAML: {' '.join(str(error).split())}") from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ValueError(f"{origin} holds a {type(values).__name__}; it must map names to values")
    return {str(name): value for name, value in values.items()}


def lmcache_get_config(config_file: str = "") -> Any:
    """The configuration with an attribute for each key: of the file (or that of LMCACHE_CONFIG_FILE), then of the
    variables LMCACHE_MP_HOST, LMCACHE_MP_PORT, LMCACHE_CHUNK_SIZE and LMCACHE_EXTRA_CONFIG (JSON).

    Raises `OSError` when the file cannot be read and `ValueError` naming what is wrong.
    """
    origin = config_file or os.environ.get("LMCACHE_CONFIG_FILE", "") or "the configuration"
    values = {**_DEFAULTS, **parse_config(config_text(config_file), origin)}
    for name in ("mp_host", "mp_port", "chunk_size"):
        given = os.environ.get(f"LMCACHE_{name.upper()}")
        if given:
            values[name] = given
    extra = os.environ.get("LMCACHE_EXTRA_CONFIG")
    if extra:
        try:
            values["extra_config"] = json.loads(extra)
        except ValueError as error:
            raise ValueError(f"LMCACHE_EXTRA_CONFIG is not JSON: {error}") from error
    if values["extra_config"] is not None and not isinstance(values["extra_config"], dict):
        raise ValueError(f"extra_config is {values['extra_config']!r}; it must map names to values")
    return SimpleNamespace(**values)
