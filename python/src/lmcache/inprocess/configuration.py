# lmcache · SPDX-License-Identifier: Apache-2.0
"""Collects the sources of an in-process cache's configuration. What keys mean is known to the library alone."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

FILE_VARIABLE = "LMCACHE_CONFIG_FILE"
OVERLAY_PREFIX = "lmcache."
NOT_FIELDS = ("lmcache.mp.", "lmcache.tag.")
CONNECTOR_OPTIONS = ("max_tokens_per_load", "skip_save", "max_offload_tokens")
"""`lmcache.<name>` that the connector reads itself."""


def document(
    overlay: Mapping[str, Any] | None = None,
    rank: int = 0,
    environment: Mapping[str, str] | None = None,
    file: str | None = None,
) -> str:
    """The layered document of one worker: the file, then LMCACHE_* variables, then `lmcache.<field>` of `overlay`.

    `file` stands for LMCACHE_CONFIG_FILE. Raises `ValueError` when the file cannot be read.
    """
    environment = os.environ if environment is None else environment
    path = file or environment.get(FILE_VARIABLE) or None
    layers = {
        "file": None if path is None else _text_of(path),
        "file_name": path,
        "environment": {name: value for name, value in environment.items() if name.startswith("LMCACHE_")},
        "overlay": {
            name.removeprefix(OVERLAY_PREFIX): value
            for name, value in (overlay or {}).items()
            if _is_field(name)
        },
        "rank": rank,
    }
    return json.dumps({name: value for name, value in layers.items() if value is not None})


def _is_field(name: str) -> bool:
    field = name.removeprefix(OVERLAY_PREFIX)
    return field != name and not name.startswith(NOT_FIELDS) and field not in CONNECTOR_OPTIONS


def _text_of(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{FILE_VARIABLE} is {path!r}, which cannot be read: {error}") from error
