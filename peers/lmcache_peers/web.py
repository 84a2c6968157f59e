# lmcache · SPDX-License-Identifier: Apache-2.0
"""Small HTTP calls to a server on this machine."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def request(url: str, body: Any = None, seconds: float = 10) -> Any:
    """Opens `url` (POST with a JSON body if one is given) and returns the response, to be read as a stream."""
    data = None if body is None else json.dumps(body).encode()
    return _opener.open(urllib.request.Request(url, data, {"Content-Type": "application/json"}), timeout=seconds)


def get_text(url: str, seconds: float = 10) -> str:
    with request(url, seconds=seconds) as response:
        return str(response.read().decode())


def get_json(url: str, seconds: float = 10) -> Any:
    return json.loads(get_text(url, seconds))


def answers(url: str, seconds: float = 2) -> bool:
    """Whether `url` answers 200 now."""
    try:
        with request(url, seconds=seconds) as response:
            return bool(response.status == 200)
    except (OSError, urllib.error.URLError):
        return False
