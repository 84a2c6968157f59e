# lmcache · SPDX-License-Identifier: Apache-2.0
"""Values as engines pass them: from JSON with their types, from command lines as text."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

_TRUE = {"1", "true", "yes", "y", "on"}
_FALSE = {"0", "false", "no", "n", "off", ""}
_SCHEMES = ("tcp://", "ipc://", "inproc://")

Reader = Callable[[str, Any], Any]
"""From a key and what was given to the value. Raises `ValueError` with both and what is accepted."""


def flag(key: str, given: Any) -> bool:
    """A switch, also as 0, 1 or a word."""
    if isinstance(given, bool):
        return given
    text = str(given).strip().lower() if isinstance(given, (str, int)) else None
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError(f"{key} is {given!r}; it must be true or false")


def strict_flag(key: str, given: Any) -> bool:
    """A switch that must be a boolean."""
    if not isinstance(given, bool):
        raise ValueError(f"{key} is {given!r}; it must be true or false, not text")
    return given


def seconds(key: str, given: Any) -> float:
    """A positive time."""
    number = _number(given)
    if not 0 < number < math.inf:
        raise ValueError(f"{key} is {given!r}; it must be a positive number of seconds")
    return number


def optional_seconds(key: str, given: Any) -> float:
    """A time, 0 for none."""
    number = _number(given)
    if not 0 <= number < math.inf:
        raise ValueError(f"{key} is {given!r}; it must be a number of seconds, or 0 for none")
    return number


def count(key: str, given: Any) -> int:
    """A positive whole number."""
    number = _number(given)
    if number < 1 or number != int(number if math.isfinite(number) else 0):
        raise ValueError(f"{key} is {given!r}; it must be a whole number of at least 1")
    return int(number)


def optional_amount(key: str, given: Any) -> float | None:
    """A positive number, or nothing."""
    if given is None:
        return None
    number = _number(given)
    if not 0 < number < math.inf:
        raise ValueError(f"{key} is {given!r}; it must be a positive number")
    return number


def port(key: str, given: Any) -> int:
    """A TCP port."""
    number = _number(given)
    if number not in range(1, 65536):
        raise ValueError(f"{key} is {given!r}; it must be a port from 1 to 65535")
    return int(number)


def text(key: str, given: Any) -> str:
    """Text."""
    if not isinstance(given, str):
        raise ValueError(f"{key} is {given!r}; it must be text")
    return given


def choice(values: Sequence[str]) -> Reader:
    """One of several words, in any case."""
    known = {value.lower(): value for value in values}

    def read(key: str, given: Any) -> str:
        if not isinstance(given, str) or given.lower() not in known:
            raise ValueError(f"{key} is {given!r}; it must be one of {', '.join(values)}")
        return known[given.lower()]

    return read


def servers(key: str, given: Any) -> list[str] | None:
    """Addresses, as a list or with commas between them."""
    if given is None:
        return None
    parts = given.split(",") if isinstance(given, str) else given
    if not isinstance(parts, (list, tuple)) or not all(isinstance(part, str) for part in parts):
        raise ValueError(f"{key} is {given!r}; it must be a list of addresses, or addresses with commas between them")
    urls = [normalized_url(part.strip()) for part in parts if part.strip()]
    if len(set(urls)) != len(urls):
        raise ValueError(f"{key} names a server twice: {', '.join(urls)}")
    return urls or None


def normalized_url(given: str) -> str:
    """A server's address with its scheme. Raises `ValueError` for another transport."""
    if "://" not in given:
        return f"tcp://{given}"
    if not given.startswith(_SCHEMES):
        raise ValueError(f"server address {given!r}: the schemes are {', '.join(_SCHEMES)}")
    return given


def _number(given: Any) -> float:
    if isinstance(given, bool) or not isinstance(given, (int, float, str)):
        return math.nan
    try:
        return float(given)
    except (ValueError, OverflowError):
        return math.nan
