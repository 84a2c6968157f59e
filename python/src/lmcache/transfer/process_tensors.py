# lmcache · SPDX-License-Identifier: Apache-2.0
"""Tensors of this process, for a cache inside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lmcache.transfer.layout import dtype_name, physical_order
from lmcache.wire.types import ProcessTensor, TensorMetadata

if TYPE_CHECKING:
    import torch


def describe(tensors: Sequence[torch.Tensor]) -> list[ProcessTensor]:
    """Addresses and shapes. The tensors must live as long as the cache knows them."""
    return [_describe(tensor) for tensor in tensors]


def _describe(tensor: torch.Tensor) -> ProcessTensor:
    view = physical_order(tensor)
    storage = view.untyped_storage()
    metadata = TensorMetadata(
        dtype_name(view), list(view.shape), list(view.stride()), int(view.storage_offset()), _device_name(view)
    )
    return ProcessTensor("process", storage.data_ptr(), storage.nbytes(), 1, metadata)


def _device_name(tensor: torch.Tensor) -> str:
    if tensor.device.type == "cpu":
        return "cpu"
    import torch

    return str(torch.cuda.get_device_properties(tensor.device).uuid).removeprefix("GPU-").lower()


def synchronize(device: torch.device) -> None:
    """Waits for what the current stream has to do; nothing on processors.

    An event cannot be opened in the process that made it, so the cache is asked only once the memory is at rest.
    """
    if device.type == "cuda":
        import torch

        torch.cuda.current_stream(device).synchronize()
