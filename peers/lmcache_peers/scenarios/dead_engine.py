# lmcache · SPDX-License-Identifier: Apache-2.0
"""An engine is killed while it stores."""

from __future__ import annotations

import threading
from typing import Any

from lmcache_peers.processes import wait_for
from lmcache_peers.prompts import random_tokens, whole_chunks
from lmcache_peers.report import expect
from lmcache_peers.scenarios.restarts import wait_until_caching
from lmcache_peers.scenarios.stage import CHUNK, Stage, expect_hit, expect_same

REAP_SECONDS = 30
_WAIT_SECONDS = 60


def _attempt(stage: Stage, prompt: list[int]) -> None:
    try:
        stage.second.complete(prompt, seconds=20)
    except Exception:  # noqa: BLE001
        pass


def _registered(status: dict[str, Any]) -> list[int]:
    return [*status.get("registered_gpu_ids", []), *status.get("registered_non_cuda_instance_ids", [])]


def _leaks(stage: Stage) -> list[str]:
    """What the dead engine still holds."""
    status, memory = stage.server.status(), stage.server.memory()
    counts = {
        "tracked instances": status["worker_liveness"]["tracked_instances"] - 1,
        "registrations": len(_registered(status)) - 1,
        "write locks": memory["write_locked_count"],
        "staged objects": memory["staging_object_count"],
        "read locks": memory["read_locked_count"],
        "prefetch jobs": status["active_prefetch_jobs"],
    }
    return [f"{count} {what}" for what, count in counts.items() if count]


def killed_in_mid_store(stage: Stage) -> str:
    """The server lives on, forgets the engine after its reap time, and what it kept of it is right."""
    # The scenarios before this one restarted the server; an engine that missed a ping of its own caches nothing yet.
    for engine, seed in ((stage.first, 7000), (stage.second, 7500)):
        wait_until_caching(stage, engine, seed)
    prompt = random_tokens(seed=71, count=3500)
    mark = stage.server.mark()
    request = threading.Thread(target=_attempt, args=(stage, prompt), daemon=True)
    request.start()
    wait_for("the first store", 60, lambda: stage.server.stored(mark), pause=0.001)
    stage.second.kill()
    request.join(30)
    expect(stage.server.process.exit_status is None, "the server ended with the engine")

    warm = stage.ask(stage.first, prompt)
    expect(0 < warm.hit <= whole_chunks(len(prompt), CHUNK), f"{warm.hit} tokens hit")
    cold = stage.ask(stage.first, prompt, salt="witness")
    same = expect_same(warm.completion, cold.completion)
    again = stage.ask(stage.first, prompt)
    expect_hit(again, prompt, cached=len(prompt))
    expect_same(again.completion, cold.completion)

    leaks: list[str] = ["not looked"]

    def clean() -> bool:
        leaks[:] = _leaks(stage)
        return not leaks

    try:
        wait_for("nothing left", _WAIT_SECONDS, clean, pause=1)
    except Exception as error:
        raise RuntimeError(f"{error}: {', '.join(leaks)}") from None
    return f"killed after {stage.server.stored(mark)[0]} tokens, {warm.hit} of them usable, {same}; nothing left behind"


SCENARIOS = [killed_in_mid_store]
