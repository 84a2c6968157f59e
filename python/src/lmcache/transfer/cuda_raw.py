# lmcache · SPDX-License-Identifier: Apache-2.0
"""CUDA memory that torch did not allocate, by the driver's own handle. Not run on hardware here."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from lmcache.transfer.layout import dtype_name
from lmcache.wire.types import TensorMetadata

if TYPE_CHECKING:
    import torch

HANDLE_BYTES = 64


class RawCUDATensor(msgspec.Struct, frozen=True):
    """A contiguous tensor; element 0 lies `alloc_offset` bytes into the allocation that `ipc_handle` names."""

    type: str
    ipc_handle: bytes
    alloc_offset: int
    nbytes: int
    version: int
    metadata: TensorMetadata


def describe(tensors: Sequence[torch.Tensor]) -> list[RawCUDATensor]:
    """What another process needs to reach the tensors. Raises `RuntimeError` when the driver does not share them."""
    return [_describe(tensor) for tensor in tensors]


def _describe(tensor: torch.Tensor) -> RawCUDATensor:
    import torch

    if not tensor.is_contiguous():
        raise RuntimeError(f"a tensor of shape {tuple(tensor.shape)} is not contiguous and cannot be shared")
    with torch.cuda.device(tensor.device):
        base = base_address(tensor.data_ptr())
        handle = export_handle(base)
    uuid = str(torch.cuda.get_device_properties(tensor.device).uuid).removeprefix("GPU-").lower()
    metadata = TensorMetadata(dtype_name(tensor), list(tensor.shape), list(tensor.stride()), 0, uuid)
    length = tensor.numel() * tensor.element_size()
    return RawCUDATensor("cuda_raw", handle, tensor.data_ptr() - base, length, 1, metadata)


def base_address(address: int) -> int:
    """Where the allocation that holds an address begins."""
    base, length = ctypes.c_uint64(), ctypes.c_size_t()
    _call("cuMemGetAddressRange_v2", ctypes.byref(base), ctypes.byref(length), ctypes.c_uint64(address))
    return base.value


def export_handle(base: int) -> bytes:
    """The handle of an allocation, 64 bytes."""
    handle = ctypes.create_string_buffer(HANDLE_BYTES)
    _call("cuIpcGetMemHandle", handle, ctypes.c_uint64(base))
    return handle.raw


def _call(name: str, *arguments: object) -> None:
    try:
        function = getattr(ctypes.CDLL("libcuda.so.1"), name)
    except (OSError, AttributeError) as error:
        raise RuntimeError(f"the CUDA driver has no {name}: {error}") from error
    result = int(function(*arguments))
    if result:
        raise RuntimeError(f"{name} failed with CUDA error {result}; memory that the driver cannot share is not cached")
