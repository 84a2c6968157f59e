# lmcache · SPDX-License-Identifier: Apache-2.0
"""SGLang's arguments, with its defaults and without the checks that need a model and a device."""

from __future__ import annotations

import dataclasses
from typing import Any

from sglang.srt import server_args


class _Unchecked(server_args.ServerArgs):
    def __post_init__(self) -> None:
        pass

    def resolve_once(self) -> None:
        pass


if dataclasses.is_dataclass(server_args.ServerArgs):
    _Unchecked = dataclasses.dataclass(_Unchecked)  # type: ignore[misc]


def publish(**changes: Any) -> None:
    """Makes arguments known to the modules that ask for them."""
    server_args.set_global_server_args_for_scheduler(_Unchecked(**changes))
