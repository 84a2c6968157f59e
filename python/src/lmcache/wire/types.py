# lmcache · SPDX-License-Identifier: Apache-2.0
"""Values of requests and answers; structs travel as maps in the order of their fields (wire protocol, section 2.1)."""

from __future__ import annotations

from typing import Any

import msgspec


class CacheKey(msgspec.Struct, frozen=True):
    """Which tokens of which request an operation concerns.

    `token_ids`, a list or the raw array, starts at position 0 whatever `start` is, and may go on behind `end`, which is
    exclusive. `worker_id` none stands for all ranks.
    """

    model_name: str
    world_size: int
    worker_id: int | None
    token_ids: Any
    start: int
    end: int
    request_id: str
    cache_salt: str = ""
    request_configs: dict[str, Any] | None = None
    num_kv_readers: int = 0


class EngineGroupInfo(msgspec.Struct, frozen=True):
    """One group of layers that share geometry and block ids; `sw_size_tokens` -1 is full attention."""

    engine_group_id: int
    layer_indices: list[int] = []
    tokens_per_block: int = 0
    sw_size_tokens: int = -1
    extra_object_group_tag: int = 0
    recurrent_state: bool = False


class BlockAllocationRecord(msgspec.Struct, frozen=True):
    """Blocks and tokens that a request gained in one step."""

    req_id: str
    new_block_ids: list[int]
    new_token_ids: list[int]


class EngineDrivenRegistration(msgspec.Struct, frozen=True):
    """A worker that moves the bytes itself, and the shape of its chunks."""

    instance_id: int
    model_name: str
    world_size: int
    block_size: int
    num_layers: int
    hidden_dim_size: int
    dtype_str: str
    use_mla: bool
    num_physical_slots: int | None = None


class EngineDrivenPool(msgspec.Struct, frozen=True):
    """The shared memory that holds the slots; an empty name means that the server has none."""

    shm_name: str
    pool_size: int


class Slot(msgspec.Struct, frozen=True):
    """One object in the pool; `offset` and `length` in bytes."""

    offset: int
    length: int
    shape: list[int]
    dtype: str


class StoreSlots(msgspec.Struct, frozen=True):
    """`slots[i]` is for chunk `chunk_indices[i]` of the range; none when the server has no pool."""

    slots: list[Slot] | None = None
    chunk_indices: list[int] | None = None


class PrepareStoreReply(msgspec.Struct, frozen=True):
    """Where to write."""

    context: StoreSlots


class RetrieveSlots(msgspec.Struct, frozen=True):
    """One slot for each chunk of the range, in order."""

    slots: list[Slot] | None = None


class PrepareRetrieveReply(msgspec.Struct, frozen=True):
    """Where to read."""

    success: bool
    data: bytes
    context: RetrieveSlots


class KVEventRecord(msgspec.Struct, frozen=True):
    """Chunks that became available or went away."""

    seq: int
    kind: str
    medium: str
    model_name: str
    block_hashes: list[bytes]
    parent_block_hash: bytes | None
    token_ids: list[int]


class KVEventBatch(msgspec.Struct, frozen=True):
    """What a subscription delivers at once."""

    enabled: bool
    incarnation: int
    next_cursor: int
    lost: bool
    events: list[KVEventRecord]


class ServerModuleReply(msgspec.Struct, frozen=True):
    """The answer to `server_module_call`."""

    success: bool
    payload: bytes
    error: str


class TensorMetadata(msgspec.Struct, frozen=True):
    """A tensor inside shared memory; `stride` and `storage_offset` in elements."""

    dtype: str
    shape: list[int]
    stride: list[int]
    storage_offset: int
    device_uuid: str


class SharedMemoryTensor(msgspec.Struct, frozen=True):
    """A tensor in a POSIX shared memory segment of this process."""

    type: str
    shm_name: str
    nbytes: int
    version: int
    metadata: TensorMetadata


class CUDATensor(msgspec.Struct, frozen=True):
    """A tensor in memory that torch shares between processes; `handle` as in section 3.2."""

    type: str
    handle: list[Any]
    version: int
    metadata: TensorMetadata


DESCRIPTOR_CODE = 1
"""MessagePack extension code of a memory descriptor."""


def as_extension(descriptor: msgspec.Struct) -> msgspec.msgpack.Ext:
    """A descriptor of memory as it travels."""
    return msgspec.msgpack.Ext(DESCRIPTOR_CODE, msgspec.msgpack.encode(descriptor))
