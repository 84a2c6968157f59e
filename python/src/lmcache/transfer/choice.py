# lmcache · SPDX-License-Identifier: Apache-2.0
"""Which way the bytes go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lmcache.transfer.engine_driven import EngineDrivenContext
from lmcache.transfer.job import TransferContext
from lmcache.transfer.layout import shape_of
from lmcache.transfer.lmcache_driven import LMCacheDrivenContext
from lmcache.wire.client import WireClient
from lmcache.wire.types import EngineGroupInfo

if TYPE_CHECKING:
    import torch


def make_context(
    mode: str,
    *,
    client: WireClient,
    instance_id: int,
    model_name: str,
    world_size: int,
    chunk_size: int,
    tensors: Sequence[torch.Tensor],
    group_infos: Sequence[EngineGroupInfo],
    layout_hints: Mapping[str, Any],
    timeout: float,
) -> TransferContext:
    """The way for `mode`: `auto` lets the worker move what lies in its own memory, the server what lies on a GPU.

    Raises `ValueError` for no tensors, another device, or a GPU's memory in mode `engine_driven`.
    """
    if not tensors:
        raise ValueError("the engine has no cache to register")
    device = tensors[0].device
    if device.type not in ("cpu", "cuda"):
        raise ValueError(f"memory of device {device} is not supported")
    is_plain = len(group_infos) <= 1 and all(
        info.tokens_per_block in (0, shape_of(tensors[0]).tokens_per_block) for info in group_infos
    )
    if mode == "auto":
        mode = "engine_driven" if device.type == "cpu" and is_plain else "lmcache_driven"
    if mode == "engine_driven":
        if not is_plain:
            raise ValueError("engine_driven moves one group of layers in whole blocks; leave mp_transfer_mode at auto")
        if device.type != "cpu":
            raise ValueError("engine_driven moves CPU memory only; leave lmcache.mp.mp_transfer_mode at auto")
        return EngineDrivenContext(client, instance_id, model_name, world_size, chunk_size, tensors, timeout)
    common = (client, instance_id, model_name, world_size)
    if device.type == "cpu":
        from lmcache.transfer.shared_tensors import SharedTensors

        shared = SharedTensors(tensors)
        return LMCacheDrivenContext(
            *common, lambda: shared.descriptors, group_infos, layout_hints, timeout, close=shared.close
        )
    from lmcache.transfer import cuda

    events = cuda.CUDAEvents(device)
    return LMCacheDrivenContext(
        *common, lambda: cuda.describe(tensors), group_infos, layout_hints, timeout, events=events
    )
