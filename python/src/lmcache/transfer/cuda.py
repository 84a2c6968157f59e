# lmcache · SPDX-License-Identifier: Apache-2.0
"""CUDA memory and events for the server."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lmcache.transfer.layout import dtype_name, physical_order
from lmcache.transfer.stream_gate import CUDAStreamGate
from lmcache.wire.types import CUDATensor, TensorMetadata

if TYPE_CHECKING:
    import torch


def describe(tensors: Sequence[torch.Tensor]) -> list[CUDATensor]:
    """What another process needs to reach the tensors; torch shares their storages."""
    return [_describe(tensor) for tensor in tensors]


def _describe(tensor: torch.Tensor) -> CUDATensor:
    import torch

    view = physical_order(tensor)
    handle = list(view.untyped_storage()._share_cuda_())  # type: ignore[no-untyped-call]
    uuid = str(torch.cuda.get_device_properties(view.device).uuid).removeprefix("GPU-").lower()
    metadata = TensorMetadata(dtype_name(view), list(view.shape), list(view.stride()), int(view.storage_offset()), uuid)
    return CUDATensor("cuda", handle, 1, metadata)


class CUDAEvents:
    """Events that both processes can wait for."""

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def record(self) -> torch.cuda.Event:
        """An event behind the work that the current stream has."""
        import torch

        event = torch.cuda.Event(interprocess=True)  # type: ignore[no-untyped-call]
        event.record(torch.cuda.current_stream(self._device))
        return event

    def export(self, event: Any) -> bytes:
        """The event as it travels."""
        handle: bytes = event.ipc_handle()
        return handle

    def make_gate(self) -> CUDAStreamGate:
        """What lets a stream of the device wait for this process."""
        return CUDAStreamGate(self._device)

    def import_event(self, handle: bytes, device: Any = None) -> Any:
        """The server's event."""
        import torch

        return torch.cuda.Event.from_ipc_handle(device or self._device, handle)  # type: ignore[no-untyped-call]


class LocalCUDAEvents:
    """Events for a cache in this process, which needs no handle to share them (`lmcache.native`)."""

    MARK = b"cu_event"

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def record(self) -> torch.cuda.Event:
        """An event behind the work that the current stream has. It must live until the answer."""
        import torch

        event = torch.cuda.Event()  # type: ignore[no-untyped-call]
        event.record(torch.cuda.current_stream(self._device))
        return event

    def export(self, event: Any) -> bytes:
        """The event as it travels."""
        return self.MARK + int(event.cuda_event).to_bytes(8, "little")

    def import_event(self, handle: bytes, device: Any = None) -> LocalCUDAEvent:
        """The cache's event."""
        if len(handle) != 16 or not handle.startswith(self.MARK):
            raise ValueError(f"not an event of this process: {handle[:16]!r}")
        return LocalCUDAEvent(int.from_bytes(handle[8:], "little"))


class LocalCUDAEvent:
    """An event of the driver that somebody else owns; the cache keeps its last 512 of each direction."""

    _NOT_READY = 600

    def __init__(self, address: int) -> None:
        self._address = ctypes.c_void_p(address)
        self._driver = ctypes.CDLL("libcuda.so.1")

    def query(self) -> bool:
        """Whether it has fired."""
        code = self._driver.cuEventQuery(self._address)
        if code == self._NOT_READY:
            return False
        self._check("cuEventQuery", code)
        return True

    def synchronize(self) -> None:
        """Waits for it."""
        self._check("cuEventSynchronize", self._driver.cuEventSynchronize(self._address))

    def wait(self, stream: Any = None) -> None:
        """Lets further work of a stream wait for it."""
        import torch

        address = int((stream or torch.cuda.current_stream()).cuda_stream)
        code = self._driver.cuStreamWaitEvent(ctypes.c_void_p(address), self._address, 0)
        self._check("cuStreamWaitEvent", code)

    @staticmethod
    def _check(call: str, code: int) -> None:
        if code != 0:
            raise RuntimeError(f"{call} failed with {code}")
