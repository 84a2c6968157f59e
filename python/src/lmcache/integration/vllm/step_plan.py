# lmcache · SPDX-License-Identifier: Apache-2.0
"""What crosses from the scheduler to the workers in one step."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lmcache.integration.vllm.transfer_entry import TransferEntry


@dataclass
class StepPlan:
    """What the workers have to do in one step."""

    loads: list[TransferEntry] = field(default_factory=list)
    stores: list[TransferEntry] = field(default_factory=list)
    must_flush: bool = False
    begins_early: bool = False
    """Whether nothing is written to the blocks of loads between the step's arrival and its forward pass."""
