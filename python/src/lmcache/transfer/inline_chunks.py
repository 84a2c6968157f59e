# lmcache · SPDX-License-Identifier: Apache-2.0
"""Chunks inside messages, for a server that shares no memory: a pickled list of CPU tensors (wire protocol, 5.5)."""

from __future__ import annotations

import collections
import io
import math
import pickle
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

MESSAGE_BYTES = 32 << 20
"""Chunks that go into one message, in bytes; one chunk goes in any case."""

_PROTOCOL = 4
_MAGIC = 0x1950A86A20F9469CFC6C
_VERSION = 1001
_STORAGES = {
    "DoubleStorage": "float64",
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
    "UntypedStorage": None,
}


def encoded(chunks: Sequence[torch.Tensor]) -> bytes:
    """The chunks as they travel. Each must own its storage, which travels whole."""
    return pickle.dumps(list(chunks), protocol=_PROTOCOL)


def decoded(data: bytes, count: int, dtype: torch.dtype, shape: tuple[int, ...]) -> list[torch.Tensor]:
    """`count` chunks of the given type and shape. Raises `ValueError` when `data` holds anything else."""
    import torch

    try:
        chunks = _Reader(io.BytesIO(data)).load()
    except Exception as error:
        raise ValueError(f"the server's chunks cannot be read: {error}") from error
    if not isinstance(chunks, list) or len(chunks) != count:
        raise ValueError(f"{count} chunks are due, the server sent {_length(chunks)}")
    views = []
    for chunk in chunks:
        if not isinstance(chunk, torch.Tensor) or chunk.dtype != dtype or chunk.device.type != "cpu":
            raise ValueError(f"a chunk of {dtype} is due, the server sent {getattr(chunk, 'dtype', type(chunk))}")
        if chunk.numel() != math.prod(shape):
            raise ValueError(f"a chunk of {math.prod(shape)} elements is due, the server sent {chunk.numel()}")
        views.append(chunk.reshape(shape))
    return views


def _length(chunks: Any) -> str:
    return str(len(chunks)) if isinstance(chunks, list) else type(chunks).__name__


@dataclass(frozen=True)
class _Storage:
    """The elements of one tensor; without a type when the tensor names it."""

    data: bytearray
    dtype: torch.dtype | None


class _Reader(pickle.Unpickler):
    """A pickle machine that makes tensors and nothing else, without torch's own, which run what they read."""

    def find_class(self, module: str, name: str) -> Any:
        import torch

        makers: dict[tuple[str, str], Callable[..., Any]] = {
            ("torch.storage", "_load_from_bytes"): _storage,
            ("torch._utils", "_rebuild_tensor_v2"): _tensor,
            ("torch._utils", "_rebuild_tensor_v3"): _typed_tensor,
            ("collections", "OrderedDict"): collections.OrderedDict,
        }
        if (module, name) in makers:
            return makers[module, name]
        dtype = getattr(torch, name, None) if module == "torch" else None
        if isinstance(dtype, torch.dtype):
            return dtype
        raise pickle.UnpicklingError(f"{module}.{name} is not part of a chunk")


class _StorageReader(pickle.Unpickler):
    """Reads one of the parts of a storage's stream; gives the class of a storage as its element type."""

    def find_class(self, module: str, name: str) -> Any:
        import torch

        if module not in ("torch", "torch.storage") or name not in _STORAGES:
            raise pickle.UnpicklingError(f"{module}.{name} is not part of a storage")
        dtype = _STORAGES[name]
        return None if dtype is None else getattr(torch, dtype)

    def persistent_load(self, pid: Any) -> Any:
        return pid


def _storage(stream: bytes) -> _Storage:
    """Elements in torch's old form: a magic number, a version, the machine, what follows, its name, the elements."""
    file = io.BytesIO(stream)
    magic, version, _, description, _ = (_StorageReader(file).load() for _ in range(5))
    if (magic, version) != (_MAGIC, _VERSION) or not isinstance(description, tuple) or len(description) < 5:
        raise pickle.UnpicklingError("the elements are not in torch's form")
    (count,) = struct.unpack("<q", file.read(8))
    data = bytearray(file.read())
    dtype = description[1]
    if count < 0 or len(data) != count * (1 if dtype is None else dtype.itemsize):
        raise pickle.UnpicklingError(f"{count} elements are due, {len(data)} bytes came")
    return _Storage(data, dtype)


def _tensor(storage: _Storage, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any) -> torch.Tensor:
    return _view(storage, storage.dtype, offset, size, stride)


def _typed_tensor(
    storage: _Storage, offset: int, size: tuple[int, ...], stride: tuple[int, ...], _grad: Any, _hooks: Any, dtype: Any
) -> torch.Tensor:
    return _view(storage, dtype, offset, size, stride)


def _view(storage: _Storage, dtype: Any, offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> torch.Tensor:
    import torch

    if not isinstance(dtype, torch.dtype) or min(size, default=1) < 1:
        raise pickle.UnpicklingError(f"a tensor of type {dtype} and shape {size}")
    start = offset * dtype.itemsize
    whole = torch.frombuffer(storage.data, dtype=dtype, count=math.prod(size), offset=start).view(size)
    if whole.stride() != tuple(stride):
        raise pickle.UnpicklingError(f"a tensor of shape {size} with strides {stride}")
    return whole
