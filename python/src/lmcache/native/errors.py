# lmcache · SPDX-License-Identifier: Apache-2.0
"""Why the library did not do what it was asked."""

from __future__ import annotations


class NativeError(RuntimeError):
    """A call of the library failed; `code` is one of `Result`."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class ConfigurationError(NativeError, ValueError):
    """The configuration cannot be used; the message is one line that names the key."""


class LibraryNotFoundError(NativeError):
    """There is no library that this package can use."""
