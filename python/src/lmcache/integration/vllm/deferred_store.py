# lmcache · SPDX-License-Identifier: Apache-2.0
"""One waiting store, what waits of one request, and what becomes of them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class StoreCounts:
    """What became of the stores so far: those that were admitted wait, or were emitted, or were dropped.

    `emitted_overdue` are among those emitted, `shortened` and `covered` beside the sum: stores that lost their end, and
    stores that another one's blocks made needless, in whole or for their beginning.
    """

    admitted: int = 0
    emitted: int = 0
    emitted_overdue: int = 0
    dropped_evicted: int = 0
    dropped_failed_store: int = 0
    rejected_prefix_broken: int = 0
    shortened: int = 0
    covered: int = 0


@dataclass(slots=True)
class StoreBatch:
    """Tokens `[start, end)` to be stored now. `blocks` is one list per group, `held` every block but the null one."""

    backlog: Backlog
    start: int
    end: int
    blocks: list[list[int]]
    held: list[int]


@dataclass(slots=True, eq=False)
class DeferredStore:
    """One waiting store; `names` is what each block's content was called when the store was admitted."""

    backlog: Backlog
    start: int
    end: int
    blocks: list[list[int]]
    names: dict[int, Any]
    admitted_at: float
    is_waiting: bool = True


@dataclass(slots=True, eq=False)
class Backlog:
    """What waits of one attempt of one request, in the order of its tokens.

    `identity` is what else belongs to the keys, to be compared; `content` is the caller's. A broken backlog has lost
    tokens, and what comes behind them could not be found again.
    """

    request_id: str
    order: int
    identity: Any
    content: Any = None
    end: int = 0
    is_broken: bool = False
    stores: deque[DeferredStore] = field(default_factory=deque)
