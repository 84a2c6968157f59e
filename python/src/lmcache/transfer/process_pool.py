# lmcache · SPDX-License-Identifier: Apache-2.0
"""The pool of a cache in this process."""

from __future__ import annotations

import ctypes
from typing import Any

from lmcache.transfer.shared_pool import SharedPool
from lmcache.wire.types import EngineDrivenPool

_PREFIX = "process:"


class ProcessPool(SharedPool):
    """Views end with the cache: none may be used once it is closed.

    Only for what `EmbeddedServer`'s own client answered. An address that came over a socket must never get here.
    Raises `ValueError` for another kind of pool.
    """

    def __init__(self, pool: EngineDrivenPool) -> None:
        address = pool.shm_name.removeprefix(_PREFIX)
        if not pool.shm_name.startswith(_PREFIX) or not address.isdecimal() or pool.pool_size < 1:
            raise ValueError("the cache in this process did not tell where its pool is")
        self._memory: Any = (ctypes.c_char * pool.pool_size).from_address(int(address))
        self.size = pool.pool_size
