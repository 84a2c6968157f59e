# lmcache · SPDX-License-Identifier: Apache-2.0
"""The runs of the original's `bench server`: shapes, chunk sizes and ways to move the bytes."""

from __future__ import annotations

from dataclasses import dataclass, field

ATTENTION = "(2,256,16,8,128):float16:4"
LATENT = "(1,256,16,1,128):float16:4"
TWO_GROUPS = "(1,256,16,1,128):float16:2;(2,256,16,8,128):float16:4"

SERVER_DRIVEN = "lmcache_driven"
ENGINE_DRIVEN = "engine_driven"


@dataclass(frozen=True)
class Setting:
    """A server that several cases share."""

    name: str
    chunk_size: int
    shared_pool: bool = True


@dataclass(frozen=True)
class Case:
    """One run of the client program."""

    name: str
    setting: Setting
    transfer_mode: str
    requests: int
    megabytes: float
    """What one request stores, in MiB, over all ranks."""

    shape: str = ""
    options: list[str] = field(default_factory=list)


SMALL = Setting("small", chunk_size=16)
LARGE = Setting("large", chunk_size=256)
NO_POOL = Setting("no-pool", chunk_size=16, shared_pool=False)

CASES = [
    Case("server-driven", SMALL, SERVER_DRIVEN, 40, 8, ATTENTION),
    Case("engine-driven", SMALL, ENGINE_DRIVEN, 40, 8, ATTENTION),
    Case("server-driven-tp2", SMALL, SERVER_DRIVEN, 20, 16, ATTENTION, ["--tp-size", "2"]),
    Case("engine-driven-tp2", SMALL, ENGINE_DRIVEN, 20, 16, ATTENTION, ["--tp-size", "2"]),
    Case("server-driven-mla", SMALL, SERVER_DRIVEN, 20, 0.5, LATENT, ["--tp-size", "2", "--use-mla"]),
    Case("engine-driven-mla", SMALL, ENGINE_DRIVEN, 20, 0.5, LATENT, ["--tp-size", "2", "--use-mla"]),
    Case("server-driven-two-groups", SMALL, SERVER_DRIVEN, 20, 8.25, TWO_GROUPS),
    Case("server-driven-64MiB", LARGE, SERVER_DRIVEN, 8, 64),
    Case("engine-driven-64MiB", LARGE, ENGINE_DRIVEN, 8, 64),
    Case("engine-driven-no-pool", NO_POOL, ENGINE_DRIVEN, 10, 8, ATTENTION),
]
