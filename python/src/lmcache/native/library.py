# lmcache · SPDX-License-Identifier: Apache-2.0
"""Finds, loads and declares liblmcache.so (lmcache.h)."""

from __future__ import annotations

import ctypes
import enum
import os
import pathlib
import threading
from ctypes import POINTER, byref, c_char_p, c_int, c_int64, c_size_t, c_uint32, c_uint64, c_void_p
from typing import Any

from lmcache.native.errors import ConfigurationError, LibraryNotFoundError, NativeError

ABI_VERSION = 1
FILE_NAME = "liblmcache.so"
_BUILD_NAME = "libLMCacheC.so"


class Result(enum.IntEnum):
    """`enum lmcache_result`."""

    OK = 0
    INVALID_ARGUMENT = 1
    INVALID_CONFIGURATION = 2
    UNAVAILABLE = 3
    TIMED_OUT = 4
    CLOSED = 5
    OTHER_PROCESS = 6
    UNKNOWN_TICKET = 7
    TOO_MANY = 8


class Usage(ctypes.Structure):
    """`struct lmcache_usage`."""

    _fields_ = [
        ("size", c_uint64),
        ("capacity_bytes", c_uint64),
        ("used_bytes", c_uint64),
        ("object_count", c_uint64),
        ("leased_object_count", c_uint64),
        ("ticket_count", c_uint64),
    ]


def library_path() -> str | None:
    """The file that would be loaded, none when there is none: LMCACHE_LIBRARY, the package's, the checkout's build.

    LMCACHE_LIBRARY wins even when nothing is there, so that a wrong value does not go unnoticed.
    """
    named = os.environ.get("LMCACHE_LIBRARY")
    if named:
        return named if os.path.isfile(named) else None
    here = pathlib.Path(__file__).resolve()
    candidates = [here.parent / FILE_NAME]
    # <checkout>/python/src/lmcache/native/library.py
    checkout = here.parents[4] if len(here.parents) > 4 else None
    if checkout is not None and (checkout / "Package.swift").is_file():
        candidates += [checkout / ".build" / kind / _BUILD_NAME for kind in ("release", "debug")]
    return next((str(path) for path in candidates if path.is_file()), None)


def is_available() -> bool:
    """Whether the library is there and of the version that this package speaks."""
    try:
        load()
    except LibraryNotFoundError:
        return False
    return True


_lock = threading.Lock()
_loaded: ctypes.CDLL | None = None


def load() -> Any:
    """The library, loaded once. Calls release the GIL. Raises `LibraryNotFoundError`."""
    global _loaded
    with _lock:
        if _loaded is None:
            _loaded = _load()
        return _loaded


def last_error() -> str:
    """Why this thread's last failed call failed."""
    text: bytes = load().lmcache_last_error()
    return text.decode("utf-8", "replace")


def check(result: int) -> None:
    """Raises what a function's result stands for."""
    if result == Result.INVALID_CONFIGURATION:
        raise ConfigurationError(result, last_error())
    if result != Result.OK:
        raise NativeError(result, last_error())


def take_bytes(pointer: c_void_p, length: c_size_t) -> bytes:
    """A copy of what the library handed out, which is freed."""
    try:
        return ctypes.string_at(pointer, length.value)
    finally:
        load().lmcache_free_bytes(pointer)


def _load() -> ctypes.CDLL:
    path = library_path()
    if path is None:
        named = os.environ.get("LMCACHE_LIBRARY")
        where = f"LMCACHE_LIBRARY names {named}, which is not there" if named else f"the package has no {FILE_NAME}"
        raise LibraryNotFoundError(Result.UNAVAILABLE, f"the lmcache library cannot be loaded: {where}")
    try:
        library = ctypes.CDLL(path)
        version = library.lmcache_abi_version
    except (OSError, AttributeError) as error:
        text = str(error).partition("\n")[0]
        raise LibraryNotFoundError(Result.UNAVAILABLE, f"the lmcache library cannot be loaded: {text}") from error
    version.restype = c_uint32
    found = version()
    if found != ABI_VERSION:
        raise LibraryNotFoundError(
            Result.UNAVAILABLE, f"{path} has ABI version {found}, this package speaks {ABI_VERSION}"
        )
    _declare(library)
    return library


def _declare(library: ctypes.CDLL) -> None:
    reply = [POINTER(c_void_p), POINTER(c_size_t)]
    signatures: dict[str, tuple[Any, list[Any]]] = {
        "lmcache_version": (c_char_p, []),
        "lmcache_last_error": (c_char_p, []),
        "lmcache_configuration_resolve": (c_int, [c_char_p, c_size_t, *reply]),
        "lmcache_create": (c_void_p, [c_char_p, c_size_t, c_char_p]),
        "lmcache_destroy": (None, [c_void_p]),
        "lmcache_call": (c_int, [c_void_p, c_char_p, c_size_t, c_int64, *reply]),
        "lmcache_submit": (c_uint64, [c_void_p, c_char_p, c_size_t]),
        "lmcache_take": (c_int, [c_void_p, c_uint64, c_int64, *reply]),
        "lmcache_take_any": (c_int, [c_void_p, c_int64, POINTER(c_uint64), *reply]),
        "lmcache_forget": (c_int, [c_void_p, c_uint64]),
        "lmcache_read_usage": (c_int, [c_void_p, POINTER(Usage)]),
        "lmcache_free_bytes": (None, [c_void_p]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype = result
        function.argtypes = arguments


__all__ = [
    "ABI_VERSION",
    "FILE_NAME",
    "Result",
    "Usage",
    "byref",
    "check",
    "is_available",
    "last_error",
    "library_path",
    "load",
    "take_bytes",
]
