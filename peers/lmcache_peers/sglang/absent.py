# lmcache · SPDX-License-Identifier: Apache-2.0
"""Stands in for modules that SGLang imports and that its radix caches have no use for."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
import types
from collections.abc import Sequence
from typing import Any
from unittest import mock

NAMES = ("IPython", "gguf", "orjson", "pybase64", "sgl_kernel", "torchvision")
"""What the radix caches' modules import."""

ENGINE_NAMES = ("flashinfer", "llguidance", "modelscope", "outlines", "torchao", "xgrammar")
"""What a whole engine imports besides."""


class _Absent(types.ModuleType):
    """Has every attribute."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        value = mock.MagicMock(name=f"{self.__name__}.{name}")
        setattr(self, name, value)
        return value


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Comes last: what is installed wins."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = frozenset(names)

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        if fullname.split(".")[0] in self._names:
            return importlib.machinery.ModuleSpec(fullname, self, is_package=True)
        return None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        return _Absent(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        module.__path__ = []
        module.__dict__["__version__"] = "0.0.0"


def append_finder(names: Sequence[str]) -> None:
    """Answers imports of these where they are not installed."""
    sys.meta_path.append(_Finder(names))


def stand_in() -> None:
    """Makes the modules of SGLang's radix caches importable."""
    append_finder(NAMES)
    _let_sglang_rename_models()


def _let_sglang_rename_models() -> None:
    """Older SGLang releases register models that a newer transformers has by itself."""
    from transformers.models.auto import configuration_auto

    plain = configuration_auto.CONFIG_MAPPING.register

    def register(key: str, value: Any, exist_ok: bool = False) -> None:
        plain(key, value, exist_ok=True)

    configuration_auto.CONFIG_MAPPING.register = register
