# lmcache · SPDX-License-Identifier: Apache-2.0
"""CUDA memory and events for the server. Written against the protocol document; not run on hardware."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lmcache.transfer.layout import dtype_name, physical_order
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

    def import_event(self, handle: bytes, device: Any = None) -> Any:
        """The server's event."""
        import torch

        return torch.cuda.Event.from_ipc_handle(device or self._device, handle)  # type: ignore[no-untyped-call]
