# lmcache · SPDX-License-Identifier: Apache-2.0
"""Why a request to the server has no result."""

from __future__ import annotations


class RequestTimeoutError(TimeoutError):
    """The deadline of a request or of a wait has passed."""


class ConnectionLostError(ConnectionError):
    """The connection ended, or was given up, before the answer came."""


class RefusedError(ValueError):
    """The server named a reason instead of the operation."""


class MalformedReplyError(ValueError):
    """The answer is not of the type that the operation has."""
