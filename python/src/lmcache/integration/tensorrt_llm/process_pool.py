# lmcache · SPDX-License-Identifier: Apache-2.0
"""The pool as a cache in the same process reaches it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lmcache.integration.tensorrt_llm.settings import EngineSettings
from lmcache.transfer.job import TransferContext
from lmcache.transfer.lmcache_driven import CPU_EVENT, LMCacheDrivenContext

if TYPE_CHECKING:
    import torch


class _AtRest:
    """In place of events, which cannot be opened in the process that made them: the stream has ended its work."""

    def __init__(self, pool: torch.Tensor) -> None:
        self._device = pool.device

    def record(self) -> None:
        if self._device.type == "cuda":
            import torch

            torch.cuda.current_stream(self._device).synchronize()

    def export(self, event: Any) -> bytes:
        del event
        return CPU_EVENT

    def import_event(self, handle: bytes, device: Any = None) -> None:
        """Nothing to wait for: the cache answers when all bytes are in place."""
        del handle, device


def process_context(
    client: Any, settings: EngineSettings, instance_id: int, pool: torch.Tensor, hints: dict[str, Any]
) -> TransferContext:
    """Registers addresses; one cache holds one rank's part, so its world has one member."""
    from lmcache.native.memory import describe_process_memory

    device = "cpu"
    if pool.device.type == "cuda":
        import torch

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
        events=_AtRest(pool),
        engine_type="trtllm",
    )
