# lmcache · SPDX-License-Identifier: Apache-2.0
"""The pool as a cache in the same process reaches it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lmcache.integration.tensorrt_llm.settings import EngineSettings
from lmcache.transfer.job import TransferContext
from lmcache.transfer.lmcache_driven import LMCacheDrivenContext

if TYPE_CHECKING:
    import torch


def process_context(
    client: Any, settings: EngineSettings, instance_id: int, pool: torch.Tensor, hints: dict[str, Any]
) -> TransferContext:
    """Registers addresses; one cache holds one rank's part, so its world has one member."""
    from lmcache.native.memory import describe_process_memory

    device, events = "cpu", None
    if pool.device.type == "cuda":
        import torch

        from lmcache.transfer.cuda import LocalCUDAEvents

        events = LocalCUDAEvents(pool.device)
        device = str(torch.cuda.get_device_properties(pool.device).uuid).removeprefix("GPU-").lower()
    return LMCacheDrivenContext(
        client,
        instance_id,
        settings.model_name,
        1,
        lambda: describe_process_memory([pool], device),
        [],
        hints,
        settings.mq_timeout,
        events=events,
        engine_type="trtllm",
    )
