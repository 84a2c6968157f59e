# lmcache · SPDX-License-Identifier: Apache-2.0
"""Streams for processors, where all work is over when a call returns."""

from __future__ import annotations

import contextlib
from typing import Any


class NoStream:
    """Has nothing to wait for."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def synchronize(self) -> None:
        pass

    def wait_stream(self, _: Any) -> None:
        pass

    def __enter__(self) -> NoStream:
        return self

    def __exit__(self, *_: Any) -> None:
        pass


def use_in(module: Any) -> None:
    """Gives SGLang's radix cache such streams."""
    import torch

    if hasattr(module, "create_device_stream"):
        module.create_device_stream = NoStream
        module.device_stream_context = lambda _: contextlib.nullcontext()
    else:
        torch.cuda.Stream = NoStream  # type: ignore[assignment,misc]
        torch.cuda.stream = lambda _: contextlib.nullcontext()  # type: ignore[assignment]
