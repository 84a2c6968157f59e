# lmcache · SPDX-License-Identifier: Apache-2.0
"""Removes the shared memory that killed programs leave behind."""

from __future__ import annotations

import pathlib
import time

FOLDER = pathlib.Path("/dev/shm")
YOUNG_SECONDS = 600
PATTERNS = ("lmcache_l1_pool_peers_*", "lmcache_kv_*", "psm_*", "torch_*", "sem.mp-*")


def names() -> set[str]:
    """The segments that servers, clients and engines may have made."""
    return {entry.name for pattern in PATTERNS for entry in FOLDER.glob(pattern)}


def _mapped() -> str:
    """The mappings of all processes that we may look at."""
    maps = []
    for entry in pathlib.Path("/proc").glob("[0-9]*/maps"):
        try:
            maps.append(entry.read_text(errors="replace"))
        except OSError:
            continue
    return "\n".join(maps)


def _is_young(name: str) -> bool:
    """Whether another program may just have made it. Semaphores are mapped under names that their files never had."""
    try:
        return name.startswith("sem.") and time.time() - (FOLDER / name).stat().st_mtime < YOUNG_SECONDS
    except FileNotFoundError:
        return True


def remove_leftovers(before: set[str], ports: list[int]) -> list[str]:
    """Unlinks segments that appeared since `before`, or that servers on `ports` kept, and that no process maps."""
    candidates = names() - before
    candidates |= {entry.name for port in ports for entry in FOLDER.glob(f"lmcache_registrations_*_{port}")}
    if not candidates:
        return []
    mapped = _mapped()
    removed = [name for name in sorted(candidates) if f"/dev/shm/{name}" not in mapped and not _is_young(name)]
    for name in removed:
        (FOLDER / name).unlink(missing_ok=True)
    return removed
