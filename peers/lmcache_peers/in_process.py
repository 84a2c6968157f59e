# lmcache · SPDX-License-Identifier: Apache-2.0
"""Engines that have the cache in their own process, and what their logs say of it."""

from __future__ import annotations

import pathlib
import re
from dataclasses import dataclass
from typing import Any

from lmcache_peers.engine import Completion, Engine
from lmcache_peers.scenarios.stage import CHUNK, Seen

_STORED = re.compile(r"\[req_id=[^\]]*\] Stored (\d+) out of total \d+ tokens\. size: [0-9.]+ GB, cost [0-9.]+ ms")
_RETRIEVED = re.compile(r"\[req_id=[^\]]*\] Retrieved (\d+) out of (\d+) required tokens \(from \d+ total tokens\)")
_OFF = re.compile(r"LMCache is off in the (\w+), prompts are computed without it: (.*)")


def connector(name: str = "LMCacheConnectorV1", by_path: bool = False, **fields: Any) -> dict[str, Any]:
    """What `--kv-transfer-config` gets."""
    chosen: dict[str, Any] = {"kv_connector": name, "kv_role": "kv_both", "kv_load_failure_policy": "recompute"}
    if by_path:
        chosen["kv_connector_module_path"] = "lmcache.integration.vllm.lmcache_connector_v1"
    extra = {"chunk_size": CHUNK, "local_cpu": True, "max_local_cpu_size": 1, **fields}
    chosen["kv_connector_extra_config"] = {f"lmcache.{field}": value for field, value in extra.items()}
    return chosen


@dataclass
class InProcessStage:
    """An engine whose log takes the place of a server's."""

    first: Engine
    runtime: pathlib.Path

    def ask(self, engine: Engine, prompt: list[int], salt: str = "", seconds: float = 90) -> Seen:
        """Sends one request and collects what the engine's metrics and its log say of it."""
        mark = engine.process.mark()
        asked, hit = engine.external_tokens()
        completion: Completion = engine.complete(prompt, salt=salt, seconds=seconds)
        asked_after, hit_after = engine.external_tokens()
        text = engine.process.text(mark)
        return Seen(
            completion,
            asked=asked_after - asked,
            hit=hit_after - hit,
            stored=[int(found) for found in _STORED.findall(text)],
            retrieved=[int(found) for found, _ in _RETRIEVED.findall(text)],
        )

    def restart(self, engine: Engine, is_killed: bool = False) -> None:
        """Ends the engine and starts it again with the same command."""
        if is_killed:
            engine.kill()
            engine.process.end()
        else:
            engine.stop()
        engine.start()
        engine.wait_until_ready()

    def sockets(self) -> list[str]:
        """The sockets that are there now."""
        return sorted(path.name for path in self.runtime.glob("*.sock"))


def reasons_to_be_off(engine: Engine) -> list[tuple[str, str]]:
    """Which halves of the engine say that they work without a cache, and why."""
    return _OFF.findall(engine.process.text())
