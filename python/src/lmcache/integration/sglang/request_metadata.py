# lmcache · SPDX-License-Identifier: Apache-2.0
"""What SGLang says of one load or store (releases up to 0.5.20)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@dataclass
class StoreMetadata:
    """A finished request: `kv_indices` has the slot of each token; `last_node` is SGLang's."""

    last_node: object
    token_ids: list[int]
    kv_indices: torch.Tensor
    offset: int
    request_id: str = ""


@dataclass
class LoadMetadata:
    """A prompt: `slot_mapping` has the slot of each token, -1 where SGLang has it already. `offset` is a whole number
    of chunks; the `prefix_pad` tokens behind it are there as well.
    """

    token_ids: list[int]
    slot_mapping: torch.Tensor
    offset: int
    prefix_pad: int = 0
    request_id: str = ""


def has_namespace(node: object) -> bool:
    """Whether SGLang keeps a request's tokens apart from others', for its salt or its adapter.

    It says so nowhere but in its own tree. What is kept apart must not be stored by tokens alone.
    """
    return getattr(getattr(node, "key", None), "extra_key", None) is not None
