# lmcache · SPDX-License-Identifier: Apache-2.0
"""Figures of a benchmark's turns, kept from one run to the next."""

from __future__ import annotations

import json
import pathlib
import statistics
from collections.abc import Callable, Mapping

Rates = dict[str, float]
"""Figures of one turn by operation; MB/s (2^20 bytes) where bytes move."""


class Samples:
    """Turns of tools that are compared, by tier and tool."""

    def __init__(self, path: pathlib.Path | None) -> None:
        self.path = path
        self.turns: dict[str, dict[str, list[Rates]]] = {}
        if path is not None and path.exists():
            self.turns = json.loads(path.read_text())

    def take(self, tier: str, tools: Mapping[str, Callable[[], Rates]], repeats: int) -> dict[str, Rates]:
        """Lets the tools take turns, prints each turn, and returns the medians of all turns so far."""
        kept = self.turns.setdefault(tier, {})
        for _ in range(repeats):
            for name, measure in tools.items():
                rates = measure()
                kept.setdefault(name, []).append(rates)
                print(f"{tier} {name}:", ", ".join(f"{key} {value:.0f}" for key, value in rates.items()), flush=True)
            if self.path is not None:
                self.path.write_text(json.dumps(self.turns))
        print(f"{tier}: medians of {min(len(kept[name]) for name in tools)} turns")
        return {
            name: {key: statistics.median(turn[key] for turn in kept[name]) for key in kept[name][0]} for name in tools
        }
