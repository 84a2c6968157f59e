# lmcache · SPDX-License-Identifier: Apache-2.0
"""The server's pool in shared memory, as a worker sees it."""

from __future__ import annotations

import mmap
import os
from typing import TYPE_CHECKING, Any

from lmcache.wire.types import EngineDrivenPool, Slot

if TYPE_CHECKING:
    import torch


class SharedPool:
    """A mapping of the whole pool. Views keep it alive after the server's end."""

    def __init__(self, pool: EngineDrivenPool) -> None:
        name = pool.shm_name.removeprefix("/")
        if not name or "/" in name or pool.pool_size < 1:
            raise ValueError("the server has no pool in shared memory; start it with --shm-name")
        try:
            descriptor = os.open(f"/dev/shm/{name}", os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            raise ValueError(
                f"the server's shared memory {name} cannot be opened ({error.strerror}); engine and server need the"
                " same /dev/shm, or a server without --shm-name"
            ) from error
        try:
            if os.fstat(descriptor).st_size < pool.pool_size:
                raise ValueError(f"pool {name} is shorter than the {pool.pool_size} bytes that the server speaks of")
            self._memory: Any = mmap.mmap(descriptor, pool.pool_size, mmap.MAP_SHARED)
        finally:
            os.close(descriptor)
        self.size = pool.pool_size

    def view(self, slot: Slot, dtype: torch.dtype, shape: tuple[int, ...]) -> torch.Tensor:
        """A slot as a tensor of the given shape. Raises `ValueError` when the slot is none of that."""
        import torch

        count = 1
        for size in shape:
            count *= size
        length = count * dtype.itemsize
        if slot.length != length or slot.offset < 0 or slot.offset + length > self.size:
            raise ValueError(f"slot at {slot.offset} of {slot.length} bytes does not fit: {length} bytes are due")
        return torch.frombuffer(self._memory, dtype=dtype, count=count, offset=slot.offset).view(shape)
