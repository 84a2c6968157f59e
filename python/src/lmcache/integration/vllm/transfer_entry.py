# lmcache · SPDX-License-Identifier: Apache-2.0
"""One store or load of a step, as it crosses from the scheduler to the workers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lmcache.integration.vllm.load_store_op import LoadStoreOp


@dataclass
class TransferEntry:
    """Whose tokens, and which."""

    request_id: str
    op: LoadStoreOp
    cache_salt: str = ""
    request_configs: dict[str, Any] | None = None
    is_inline: bool = False
    """Whether a load belongs to the step that reads its blocks."""
    receipt: int = 0
    """The number under which the workers say that a deferred store ended; 0 for others."""
