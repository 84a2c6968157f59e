# lmcache · SPDX-License-Identifier: Apache-2.0
"""Configuration of a cache in this process; the library reads and checks it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from ctypes import c_size_t, c_void_p
from typing import Any

import msgspec

from lmcache.native.errors import ConfigurationError
from lmcache.native.library import Result, byref, check, load, take_bytes

_PREFIX = "LMCACHE_"


def resolve_configuration(document: str) -> dict[str, Any]:
    """Every key with its value, defaults filled in, and `notices`, lines to log.

    Raises `ConfigurationError` with one line, `LibraryNotFoundError` without the library.
    """
    text = document.encode()
    pointer, length = c_void_p(), c_size_t()
    check(load().lmcache_configuration_resolve(text, len(text), byref(pointer), byref(length)))
    resolved: dict[str, Any] = msgspec.json.decode(take_bytes(pointer, length))
    return resolved


def configuration_document(
    file: str | os.PathLike[str] | None = None,
    environment: Mapping[str, str] | None = None,
    overlay: Mapping[str, Any] | None = None,
    rank: int = 0,
) -> str:
    """A document of layers, later ones winning: a file by its path, LMCACHE_* variables, `lmcache.<key>` entries.

    `overlay` may hold other entries, such as all of an engine's extra configuration: those without the prefix are left
    out, and so are those of MP mode (`lmcache.mp.*`). `rank` picks one of several `local_disk` paths. Raises
    `ConfigurationError` when the file cannot be read.
    """
    layers: dict[str, Any] = {"rank": rank}
    if file is not None:
        layers["file_name"] = os.fspath(file)
        layers["file"] = _read(os.fspath(file))
    if environment is not None:
        layers["environment"] = {k: v for k, v in environment.items() if k.startswith(_PREFIX)}
    if overlay is not None:
        layers["overlay"] = {
            name: value
            for name, value in overlay.items()
            if name.startswith("lmcache.") and not name.startswith("lmcache.mp.")
        }
    return msgspec.json.encode(layers).decode()


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        text = f"the configuration file {path} cannot be read: {error}"
        raise ConfigurationError(Result.INVALID_CONFIGURATION, text) from error
