# lmcache · SPDX-License-Identifier: Apache-2.0
"""The ranks of one engine, and how they agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Ranks:
    """One rank's place among tensor-parallel and pipeline-parallel ranks.

    All of them must call the agreeing methods in the same order. The groups are torch process groups; `device` is where
    their tensors have to lie. Raises `ValueError` for a rank outside its group or a group of another size.
    """

    tp_size: int = 1
    tp_rank: int = 0
    tp_group: Any = None
    pp_size: int = 1
    pp_rank: int = 0
    pp_group: Any = None
    device: Any = "cpu"

    def __post_init__(self) -> None:
        for name, size, rank, group in (
            ("tp", self.tp_size, self.tp_rank, self.tp_group),
            ("pp", self.pp_size, self.pp_rank, self.pp_group),
        ):
            if size < 1 or not 0 <= rank < size:
                raise ValueError(f"{name}_rank {rank} of {name}_size {size}: a rank is at least 0 and below its size")
            if size > 1:
                self._check_group(name, size, group)

    @staticmethod
    def _check_group(name: str, size: int, group: Any) -> None:
        import torch.distributed

        if group is None:
            raise ValueError(f"{name}_size is {size}; {name}_group must be the process group of these ranks, not none")
        found = torch.distributed.get_world_size(group=group)
        if found != size:
            raise ValueError(f"{name}_group has {found} ranks; {name}_size is {size}")

    @property
    def world_size(self) -> int:
        """All ranks."""
        return self.tp_size * self.pp_size

    @property
    def number(self) -> int:
        """This rank among all of them."""
        return self.pp_rank * self.tp_size + self.tp_rank

    @property
    def is_first(self) -> bool:
        """Whether this rank asks the server on behalf of all."""
        return self.number == 0

    def reduce(self, tensor: Any, operation: Any) -> None:
        """Reduces in place over both groups, so that all ranks have the same."""
        import torch.distributed

        if self.tp_size > 1:
            torch.distributed.all_reduce(tensor, op=operation, group=self.tp_group)
        if self.pp_size > 1:
            torch.distributed.all_reduce(tensor, op=operation, group=self.pp_group)

    def least(self, value: int) -> int:
        """The least of the ranks' values."""
        return value if self.world_size == 1 else self._agree(value, "MIN")

    def greatest(self, value: int) -> int:
        """The greatest of the ranks' values."""
        return value if self.world_size == 1 else self._agree(value, "MAX")

    def all(self, holds: bool) -> bool:
        """Whether it holds on every rank."""
        return bool(self.least(int(holds)))

    def _agree(self, value: int, name: str) -> int:
        import torch
        import torch.distributed

        tensor = torch.tensor([value], dtype=torch.int64, device=self.device)
        self.reduce(tensor, getattr(torch.distributed.ReduceOp, name))
        return int(tensor.item())
