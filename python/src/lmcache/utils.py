# lmcache · SPDX-License-Identifier: Apache-2.0
"""Logging as engines expect it from `lmcache.utils`."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from typing import Any

_FORMAT = "[%(asctime)s] LMCache %(levelname)s: %(message)s (%(filename)s:%(lineno)d)"


def init_logger(name: str) -> logging.Logger:
    """The logger of a module. Lines go to standard error, from the level that LMCACHE_LOG_LEVEL names (INFO)."""
    root = logging.getLogger("lmcache")
    if not root.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter(_FORMAT))
        root.addHandler(handler)
        root.propagate = False
        level = getattr(logging, os.environ.get("LMCACHE_LOG_LEVEL", "INFO").upper(), logging.INFO)
        root.setLevel(level if isinstance(level, int) else logging.INFO)
    return logging.getLogger(name if name.startswith("lmcache") else f"lmcache.{name}")


def _lmcache_nvtx_annotate(function: Callable[..., Any], *_: Any, **__: Any) -> Callable[..., Any]:
    """Old vLLM releases mark functions for a profiler with this; there is nothing to mark."""
    return function
