# lmcache · SPDX-License-Identifier: Apache-2.0
"""Tensors and events that a server can open: CUDA's own, or stand-ins for the fake driver of the tests.

The fake ones (`--fake`) let the scripts and a server be rehearsed on a machine without a GPU: tensors lie in POSIX shared
memory, and the handles are those that Tests/Support/FakeCUDADriver understands.
"""

from __future__ import annotations

import mmap
import os
import struct
from typing import Any

import msgspec
import torch

DESCRIPTOR_CODE = 1
FAKE_UUID = "fafafafa-fafa-fafa-fafa-fafafafafa00"


class CUDAMemory:
    """Real tensors on one device."""

    def __init__(self, ordinal: int = 0) -> None:
        from lmcache.transfer.cuda import CUDAEvents

        self.device = torch.device("cuda", ordinal)
        torch.cuda.set_device(self.device)
        self._events = CUDAEvents(self.device)

    def empty(self, byte_count: int) -> torch.Tensor:
        """Bytes of their own allocation."""
        return torch.empty(byte_count, dtype=torch.uint8, device=self.device)

    def describe(self, tensors: list[torch.Tensor]) -> list[msgspec.msgpack.Ext]:
        """What the server needs to open them."""
        from lmcache.transfer.cuda import describe
        from lmcache.wire.types import as_extension

        return [as_extension(item) for item in describe(tensors)]

    def event(self) -> tuple[Any, bytes]:
        """An event behind all work so far, to be kept until the answer, and its bytes."""
        event = self._events.record()
        return event, self._events.export(event)

    def wait(self, handle: bytes) -> None:
        """Waits until a server's event has fired."""
        if handle:
            self._events.import_event(handle).synchronize()

    def free_bytes(self) -> int:
        """Free memory of the device."""
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
        return int(torch.cuda.mem_get_info(self.device)[0])

    def settle(self) -> None:
        """Waits for all work of this process."""
        torch.cuda.synchronize()

    def close(self) -> None:
        """Gives unused memory back."""
        torch.cuda.empty_cache()


class FakeMemory:
    """Shared memory that the fake driver opens."""

    def __init__(self) -> None:
        self.device = torch.device("cpu")
        self._segments: list[tuple[str, mmap.mmap, torch.Tensor]] = []

    def empty(self, byte_count: int) -> torch.Tensor:
        name = f"/lmcfake_{os.getpid()}_{len(self._segments)}"
        file = os.open("/dev/shm" + name, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        os.ftruncate(file, byte_count)
        area = mmap.mmap(file, byte_count)
        os.close(file)
        tensor = torch.frombuffer(area, dtype=torch.uint8)
        self._segments.append((name, area, tensor))
        return tensor

    def describe(self, tensors: list[torch.Tensor]) -> list[msgspec.msgpack.Ext]:
        return [self._describe(tensor) for tensor in tensors]

    def _describe(self, tensor: torch.Tensor) -> msgspec.msgpack.Ext:
        from lmcache.transfer.layout import dtype_name, physical_order

        view = physical_order(tensor)
        address = tensor.untyped_storage().data_ptr()
        for name, area, whole in self._segments:
            if whole.untyped_storage().data_ptr() == address:
                break
        else:
            raise ValueError("not a tensor of this memory")
        handle = b"FAKES\0\0\0" + struct.pack("<Q", len(area)) + name.encode().ljust(48, b"\0")
        metadata = {
            "dtype": dtype_name(view),
            "shape": list(view.shape),
            "stride": list(view.stride()),
            "storage_offset": int(view.storage_offset()),
            "device_uuid": FAKE_UUID,
        }
        torch_handle = [0, b"\x02c" + handle, len(area), 0, f"/torch_{os.getpid()}_1_0".encode(), 0, None, False]
        inner = {"type": "cuda", "handle": torch_handle, "version": 1, "metadata": metadata}
        return msgspec.msgpack.Ext(DESCRIPTOR_CODE, msgspec.msgpack.encode(inner))

    def event(self) -> tuple[Any, bytes]:
        return None, b"FAKEX".ljust(64, b"\0")

    def wait(self, handle: bytes) -> None:
        if handle and len(handle) != 64:
            raise ValueError(f"an event of {len(handle)} bytes")

    def free_bytes(self) -> int:
        return 0

    def settle(self) -> None:
        pass

    def close(self) -> None:
        for name, _, _ in self._segments:
            os.unlink("/dev/shm" + name)
        self._segments = []


def open_memory(fake: bool) -> CUDAMemory | FakeMemory:
    """The kind of memory asked for."""
    return FakeMemory() if fake else CUDAMemory()
