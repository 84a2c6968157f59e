# lmcache · SPDX-License-Identifier: Apache-2.0
"""The worker's half of the connector when stores are deferred."""

from __future__ import annotations

from typing import Any

from lmcache.integration.vllm.step_plan import StepPlan
from lmcache.integration.vllm.store_receipts import StoreReceipts
from lmcache.integration.vllm.worker_side import WorkerSide


class LazyWorkerSide(WorkerSide):
    """No request's end waits for its stores; each store is answered with a receipt in place of that."""

    def __init__(self, *values: Any) -> None:
        super().__init__(*values)
        self.receipts = StoreReceipts(self.adapter.parallel_strategy.is_writer)

    def store(self, plan: StepPlan) -> None:
        """Begins the stores of a step."""
        self.receipts.expect(plan.stores, self._begin_stores(plan))
