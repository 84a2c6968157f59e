# lmcache · SPDX-License-Identifier: Apache-2.0
"""The configuration file that SGLang is given."""

from __future__ import annotations

import json
import os
from types import SimpleNamespace
from typing import Any

from lmcache import native
from lmcache.utils import init_logger

logger = init_logger(__name__)

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


def config_text(path: str) -> str:
    """The text of a file, nothing without one.

    Raises `OSError` when it cannot be read, `ValueError` when it is too long or no text.
    """
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
    import yaml  # type: ignore[import-untyped]

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
    LMCACHE_* variables.

    The library reads and checks it; without the library only what a server's address needs is read. Raises `ValueError`
    or `OSError` that names what is wrong.
    """
    path = config_file or os.environ.get("LMCACHE_CONFIG_FILE", "")
    if not native.is_available():
        return SimpleNamespace(**_plain(path))
    document = native.configuration_document(file=path or None, environment=os.environ)
    values = native.resolve_configuration(document)
    for notice in values.get("notices", ()):
        logger.warning("%s", notice)
    return SimpleNamespace(**values)


def _plain(path: str) -> dict[str, Any]:
    values = {**_DEFAULTS, **parse_config(config_text(path), path or "the configuration")}
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
    return values
