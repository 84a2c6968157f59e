# lmcache · SPDX-License-Identifier: Apache-2.0
"""Logging as engines expect it from `lmcache.utils`."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from typing import Any

LEVEL_VARIABLE = "LMCACHE_LOG_LEVEL"
_COLOURS = {"DEBUG": "\x1b[1m", "INFO": "\x1b[32;20m", "WARNING": "\x1b[33;20m", "ERROR": "\x1b[31;20m"}
_LAST_COLOUR = "\x1b[31;1m"
_ITALIC, _RESET = "\x1b[3m", "\x1b[0m"


class _LineFormatter(logging.Formatter):
    """`[time] LMCache LEVEL: text (file:line:logger)`, with colours unless NO_COLOR is set."""

    def __init__(self) -> None:
        super().__init__()
        self._has_colours = not os.environ.get("NO_COLOR")

    def format(self, record: logging.LogRecord) -> str:
        """One record as a line, with its traceback below it."""
        before, trailer = "", f"({record.filename}:{record.lineno}:{record.name})"
        after = ""
        if self._has_colours:
            before, after = _COLOURS.get(record.levelname, _LAST_COLOUR), _RESET
            trailer = f"{_ITALIC}{trailer}{_RESET}"
        head = f"{before}[{self.formatTime(record)}] LMCache {record.levelname}:{after}"
        line = f"{head} {record.getMessage()} {trailer}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def init_logger(name: str) -> logging.Logger:
    """The logger of a module. Lines go to standard error, from the level that LMCACHE_LOG_LEVEL names (INFO)."""
    root = logging.getLogger("lmcache")
    if not root.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(_LineFormatter())
        root.addHandler(handler)
        root.propagate = False
        level = getattr(logging, os.environ.get(LEVEL_VARIABLE, "INFO").strip().upper(), logging.INFO)
        root.setLevel(level if isinstance(level, int) else logging.INFO)
    return logging.getLogger(name if name.startswith("lmcache") else f"lmcache.{name}")


def _lmcache_nvtx_annotate(function: Callable[..., Any], *_: Any, **__: Any) -> Callable[..., Any]:
    """Old vLLM releases mark functions for a profiler with this; there is nothing to mark."""
    return function
