# lmcache · SPDX-License-Identifier: Apache-2.0
"""Descriptors of this process's own memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from lmcache.transfer.layout import dtype_name, physical_order
from lmcache.wire.types import TensorMetadata

if TYPE_CHECKING:
    import torch


class ProcessTensor(msgspec.Struct, frozen=True):
    """A tensor at an address of this process; only a direct client may send it (`lmcache.wire.types.as_extension`)."""

    type: str
    address: int
    nbytes: int
    version: int
    metadata: TensorMetadata


def describe_process_memory(tensors: Sequence[torch.Tensor], device_uuid: str = "cpu") -> list[ProcessTensor]:
    """Descriptors for `register_kv_cache` through `EmbeddedServer.client()`.

    Nothing moves. The tensors must live until the registration is taken back and every store and load of it has been
    answered, or the server is closed.
    """
    return [_describe(tensor, device_uuid) for tensor in tensors]


def _describe(tensor: torch.Tensor, device_uuid: str) -> ProcessTensor:
    view = physical_order(tensor)
    storage = view.untyped_storage()
    metadata = TensorMetadata(
        dtype_name(view), list(view.shape), list(view.stride()), int(view.storage_offset()), device_uuid
    )
    return ProcessTensor("process", storage.data_ptr(), storage.nbytes(), 1, metadata)
