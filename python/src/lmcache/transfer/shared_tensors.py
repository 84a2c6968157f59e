# lmcache · SPDX-License-Identifier: Apache-2.0
"""Moves an engine's CPU tensors into shared memory, so that the server can reach them."""

from __future__ import annotations

import mmap
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lmcache.transfer.layout import dtype_name, physical_order
from lmcache.wire.types import SharedMemoryTensor, TensorMetadata

if TYPE_CHECKING:
    import torch


class SharedTensors:
    """Segments `/lmcache_kv_<pid>_<n>`, one for each storage; unlinked by `close`.

    The given tensor objects are re-pointed in place: who holds them sees the new memory.
    """

    def __init__(self, tensors: Sequence[torch.Tensor]) -> None:
        self._names: list[str] = []
        self._moved: dict[int, tuple[str, torch.Tensor]] = {}
        # Old storages are kept while tensors move, so that no address stands for two of them.
        self._old: list[torch.UntypedStorage] = []
        self._segments: dict[int, tuple[str, int]] = {}
        self.descriptors = [self._move(tensor) for tensor in tensors]
        self._old.clear()

    def close(self) -> None:
        """Removes the names; mappings stay."""
        for name in self._names:
            try:
                os.unlink(f"/dev/shm{name}")
            except FileNotFoundError:
                continue
        self._names.clear()

    def describe_view(self, view: torch.Tensor) -> SharedMemoryTensor:
        """A view of one of the moved tensors. Raises `ValueError` for another tensor."""
        segment = self._segments.get(view.untyped_storage().data_ptr())
        if segment is None:
            raise ValueError("the tensor is no view of memory that was moved into shared memory")
        return self._describe(view, *segment)

    def _move(self, tensor: torch.Tensor) -> SharedMemoryTensor:
        storage = tensor.untyped_storage()
        length = storage.nbytes()
        if length == 0:
            return self._describe(tensor, "", 0)
        if storage.data_ptr() not in self._moved:
            self._moved[storage.data_ptr()] = self._segment(storage, length)
        name, memory = self._moved[storage.data_ptr()]
        self._old.append(storage)
        tensor.set_(memory.untyped_storage(), tensor.storage_offset(), tensor.shape, tensor.stride())
        self._segments[memory.untyped_storage().data_ptr()] = (name, length)
        return self._describe(tensor, name, length)

    def _segment(self, storage: torch.UntypedStorage, length: int) -> tuple[str, torch.Tensor]:
        import torch

        number = 0
        while True:
            name = f"/lmcache_kv_{os.getpid()}_{number}"
            try:
                descriptor = os.open(f"/dev/shm{name}", os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
                break
            except FileExistsError:
                number += 1
        self._names.append(name)
        try:
            os.posix_fallocate(descriptor, 0, length)
            memory = torch.frombuffer(mmap.mmap(descriptor, length, mmap.MAP_SHARED), dtype=torch.uint8)
        finally:
            os.close(descriptor)
        memory.copy_(torch.empty(0, dtype=torch.uint8).set_(storage, 0, (length,), (1,)))
        return name, memory

    @staticmethod
    def _describe(tensor: torch.Tensor, name: str, length: int) -> SharedMemoryTensor:
        view = physical_order(tensor)
        metadata = TensorMetadata(
            dtype_name(view), list(view.shape), list(view.stride()), int(view.storage_offset()), "cpu"
        )
        return SharedMemoryTensor("cpu_shm", name, length, 1, metadata)
