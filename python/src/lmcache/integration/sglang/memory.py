# lmcache · SPDX-License-Identifier: Apache-2.0
"""Which way the bytes of SGLang's pools go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lmcache.integration.sglang.component_group import ComponentGroup, group_infos
from lmcache.transfer.job import TransferContext
from lmcache.wire.client import WireClient
from lmcache.wire.types import EngineGroupInfo

if TYPE_CHECKING:
    import torch


class RegisteredMemory:
    """The pools of one rank as the server is told about them.

    With `is_paired` the first half of the only group's tensors are keys and the second half values, sent as SGLang's
    older client does; otherwise every tensor stands for itself (layout `unified`).
    Raises `ValueError` for memory of several devices, or of a device that is neither CUDA nor CPU.
    """

    def __init__(self, groups: Sequence[ComponentGroup], *, is_latent: bool = False, is_paired: bool = False) -> None:
        self.groups = tuple(groups)
        self._is_latent = is_latent
        self._is_paired = is_paired
        self._tensors = [tensor for group in self.groups for tensor in group.tensors]
        if not self._tensors:
            raise ValueError("the engine has no cache to register")
        devices = {tensor.device for tensor in self._tensors}
        if len(devices) != 1 or next(iter(devices)).type not in ("cpu", "cuda"):
            raise ValueError(f"memory of devices {sorted(map(str, devices))}; all of it must lie on one CUDA device")
        self.device: Any = next(iter(devices))
        self.infos: list[EngineGroupInfo] = group_infos(self.groups, self._views())

    @property
    def block_size(self) -> int:
        """A number of tokens that is a whole number of blocks in every group."""
        import math

        return math.lcm(*(group.tokens_per_block for group in self.groups))

    def context(
        self,
        mode: str,
        model_name: str,
        world_size: int,
        timeout: float,
        client: WireClient,
        instance_id: int,
        chunk_size: int,
    ) -> TransferContext:
        """The way for `mode`; `auto` lets the worker move CPU memory where it can, and the server all other.

        Raises `ValueError` for memory that cannot go the way that was asked for.
        """
        if mode == "auto":
            mode = "engine_driven" if self.device.type == "cpu" and self._is_plain else "lmcache_driven"
        if mode == "engine_driven":
            from lmcache.transfer.engine_driven import EngineDrivenContext

            if self.device.type != "cpu" or not self._is_plain:
                raise ValueError(
                    "engine_driven moves one group of CPU tensors; leave lmcache.mp.mp_transfer_mode at auto"
                )
            rows = [view.flatten(2) for view in self._flat_views()]
            return EngineDrivenContext(client, instance_id, model_name, world_size, chunk_size, rows, timeout)
        return self._lmcache_driven(client, instance_id, model_name, world_size, timeout)

    def _lmcache_driven(
        self, client: WireClient, instance_id: int, model_name: str, world_size: int, timeout: float
    ) -> TransferContext:
        from lmcache.transfer.lmcache_driven import LMCacheDrivenContext

        infos = self.infos
        hints: dict[str, Any] = {"kv_list_layout": "unified"}
        if self._is_paired:
            infos = []
            hints = {"tokens_per_block": self.groups[0].tokens_per_block, "kv_list_layout": "k_v"}
        if self.device.type == "cuda":
            from lmcache.transfer import cuda

            return LMCacheDrivenContext(
                client,
                instance_id,
                model_name,
                world_size,
                lambda: cuda.describe(self._wire_tensors()),
                infos,
                hints,
                timeout,
                events=cuda.CUDAEvents(self.device),
                engine_type="sglang",
            )
        from lmcache.transfer.shared_tensors import SharedTensors

        if any(group.is_recurrent for group in self.groups):
            raise ValueError("recurrent state in CPU memory cannot be moved by the server")
        shared = SharedTensors(self._tensors)
        return LMCacheDrivenContext(
            client,
            instance_id,
            model_name,
            world_size,
            lambda: [shared.describe_view(view) for view in self._wire_tensors()],
            infos,
            hints,
            timeout,
            close=shared.close,
            engine_type="sglang",
        )

    @property
    def _is_plain(self) -> bool:
        """One group of layers of the same geometry, a row for each token."""
        group = self.groups[0]
        return (
            len(self.infos) == 1
            and not group.is_recurrent
            and set(group.rows_per_block) == {group.tokens_per_block} == {group.slots_per_block}
        )

    def _views(self) -> list[list[torch.Tensor]]:
        return [group.views(self._is_latent) for group in self.groups]

    def _flat_views(self) -> list[torch.Tensor]:
        return [view for views in self._views() for view in views]

    def _wire_tensors(self) -> list[torch.Tensor]:
        return self._tensors if self._is_paired else self._flat_views()
