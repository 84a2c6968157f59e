# lmcache · SPDX-License-Identifier: Apache-2.0
"""Objects that LMCache 0.5.6 writes to files, Redis, Valkey and S3 are read by ours, and the reverse.

Prints `PASS name detail` or `FAIL name why` for each medium and direction. LMCACHE_L2_OBJECTS is our program
`lmcache-l2-objects`. The servers are those of peers/with-stores.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import pathlib
import random
import select
import shlex
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from typing import Any

SIZES = (1, 511, 4096, 5000, 65_536, 1_048_576 + 12_345)
SECONDS = 60.0


@dataclasses.dataclass(frozen=True, slots=True)
class Item:
    """One object: its key's fields and its bytes."""

    model: str
    rank: int
    group: int
    hash: str
    salt: str
    content: bytes

    @property
    def file(self) -> str:
        identity = f"{self.model}|{self.rank}|{self.group}|{self.hash}|{self.salt}"
        return hashlib.sha256(identity.encode()).hexdigest()[:16]


def make_items(model: str, seed: int) -> list[Item]:
    """Every size, with and without a salt, in several ranks and groups."""
    draw = random.Random(seed)
    items = []
    for number, size in enumerate(SIZES):
        for salt in ("", "tenantA", "tenant é 1"):
            items.append(
                Item(
                    model=model,
                    rank=0x02010201 if number % 2 else 0x01000100,
                    group=26 if number % 3 == 0 else 0,
                    hash=draw.randbytes(32).hex(),
                    salt=salt,
                    content=draw.randbytes(size),
                )
            )
    return items


class Ours:
    """Our adapter, as a program that runs once for each operation."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self.spec = spec
        self.command = shlex.split(os.environ.get("LMCACHE_L2_OBJECTS", ".build/debug/lmcache-l2-objects"))

    def run(self, operation: str, items: list[Item], folder: pathlib.Path) -> list[str]:
        keys = [
            {"model": one.model, "rank": one.rank, "group": one.group, "hash": one.hash, "salt": one.salt,
             "file": one.file, "size": len(one.content)}
            for one in items
        ]
        (folder / "keys.json").write_text(json.dumps(keys))
        done = subprocess.run(
            [*self.command, operation, json.dumps(self.spec), str(folder)], stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=SECONDS, check=False)
        if done.returncode != 0:
            raise AssertionError(f"our program says: {done.stdout[-500:]}{done.stderr[-500:]}")
        lines = [line for line in done.stdout.splitlines() if not line.startswith("#")]
        return [line.split(" ", 1)[1] for line in lines]

    def store(self, items: list[Item]) -> None:
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            for one in items:
                (folder / one.file).write_bytes(one.content)
            results = self.run("store", items, folder)
        expected = [f"done {len(one.content)}" for one in items]
        if results != expected:
            raise AssertionError(f"our store ended as {results}")

    def check(self, items: list[Item]) -> None:
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            expected = [f"done {len(one.content)}" for one in items]
            if (results := self.run("lookup", items, folder)) != expected:
                raise AssertionError(f"our lookup ended as {results}")
            if (results := self.run("load", items, folder)) != expected:
                raise AssertionError(f"our load ended as {results}")
            for one in items:
                if (folder / one.file).read_bytes() != one.content:
                    raise AssertionError(f"other bytes in {one}")
            again = [f"present {len(one.content)}" for one in items]
            if (results := self.run("store", items, folder)) != again:
                raise AssertionError(f"our second store ended as {results}")


class Theirs:
    """LMCache 0.5.6's adapter, in this process."""

    def __init__(self, spec: dict[str, Any]) -> None:
        from lmcache.v1.distributed.l2_adapters.config import get_l2_adapter_config_class
        from lmcache.v1.distributed.l2_adapters.factory import create_l2_adapter_from_registry

        config = get_l2_adapter_config_class(spec["type"]).from_dict(spec)
        self.adapter = create_l2_adapter_from_registry(config, None)

    @staticmethod
    def key(item: Item) -> Any:
        from lmcache.v1.distributed.api import ObjectKey

        return ObjectKey(
            chunk_hash=bytes.fromhex(item.hash), model_name=item.model, kv_rank=item.rank,
            object_group_id=item.group, cache_salt=item.salt)

    @staticmethod
    def memory(content: bytes) -> Any:
        """A memory object over bytes of its own."""
        import torch
        from lmcache.v1.memory_management import MemoryFormat, MemoryObjMetadata, TensorMemoryObj

        raw = torch.frombuffer(bytearray(content), dtype=torch.uint8)
        shape = torch.Size([len(content)])
        metadata = MemoryObjMetadata(
            shape=shape, dtype=torch.uint8, address=0, phy_size=len(content), ref_count=1,
            fmt=MemoryFormat.UNDEFINED, shapes=[shape], dtypes=[torch.uint8])
        return TensorMemoryObj(raw, metadata, None)

    @staticmethod
    def _await(descriptor: int, probe: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            select.select([descriptor], [], [], 0.1)
            if (found := probe()) is not None:
                return found
        raise AssertionError("LMCache's adapter does not answer")

    def store(self, items: list[Item]) -> None:
        for one in items:  # one by one: a task is all or nothing there
            memory = self.memory(one.content)  # LMCache's native part keeps its address only
            task = self.adapter.submit_store_task([self.key(one)], [memory])
            done = self._await(
                self.adapter.get_store_event_fd(), lambda task=task: self.adapter.pop_completed_store_tasks().get(task))
            if not done.is_successful():
                raise AssertionError(f"LMCache's store of {len(one.content)} bytes failed")

    def check(self, items: list[Item]) -> None:
        import torch
        from lmcache.v1.distributed.api import MemoryLayoutDesc

        for one in items:
            layout = MemoryLayoutDesc(shapes=[torch.Size([len(one.content)])], dtypes=[torch.uint8])
            task = self.adapter.submit_lookup_and_lock_task([self.key(one)], {one.group: layout})
            found = self._await(
                self.adapter.get_lookup_and_lock_event_fd(),
                lambda task=task: self.adapter.query_lookup_and_lock_result(task))
            if not found.test(0):
                raise AssertionError(f"LMCache does not find the object of {len(one.content)} bytes")
            memory = self.memory(bytes(len(one.content)))
            task = self.adapter.submit_load_task([self.key(one)], [memory])
            loaded = self._await(
                self.adapter.get_load_event_fd(), lambda task=task: self.adapter.query_load_result(task))
            if not loaded.test(0) or bytes(memory.byte_array) != one.content:
                raise AssertionError(f"LMCache loads other bytes than the {len(one.content)} stored")
            self.adapter.submit_unlock([self.key(one)])

    def close(self) -> None:
        self.adapter.close()


@dataclasses.dataclass(frozen=True, slots=True)
class Medium:
    """How both sides are told of one medium."""

    name: str
    theirs: dict[str, Any]
    ours: dict[str, Any]
    model: str = "org/some model"


def media(folder: pathlib.Path) -> list[Medium]:
    """Files in both dialects, Redis, Valkey and S3."""
    found = []
    for kind, more in (("fs", {}), ("fs_native", {}), ("fs", {"relative_tmp_dir": "tmp"})):
        name = f"{kind}{'-tmp' if more else ''}"
        spec = {"type": kind, "base_path": str(folder / name), **more}
        found.append(Medium(name, spec, spec))
    for name, variable in (("redis", "LMCACHE_TEST_REDIS"), ("valkey", "LMCACHE_TEST_VALKEY")):
        host, port = os.environ[variable].split(":")
        spec = {"type": "resp", "host": host, "port": int(port), "num_workers": 2}
        found.append(Medium(name, spec, spec))
    # The model's first part is the bucket: LMCache's adapter cannot put a bucket before the path.
    spec = {
        "type": "s3", "s3_endpoint": os.environ["LMCACHE_TEST_S3"].removeprefix("http://"), "s3_region": "us-east-1",
        "disable_tls": True, "aws_access_key_id": os.environ["LMCACHE_TEST_S3_KEY"],
        "aws_secret_access_key": os.environ["LMCACHE_TEST_S3_SECRET"], "s3_prefer_http2": False,
        "s3_num_io_threads": 4,
    }
    found.append(Medium("s3", spec, spec, model=os.environ["LMCACHE_TEST_S3_BUCKET"] + "/org/some model"))
    return found


def attempt(name: str, action: Callable[[], str]) -> bool:
    try:
        print(f"PASS {name} {action()}", flush=True)
        return True
    except Exception as error:  # any end but a pass is this case's failure, and the others still run
        if not isinstance(error, AssertionError):
            traceback.print_exc()
        print(f"FAIL {name} {str(error) or type(error).__name__}", flush=True)
        return False


def both_ways(medium: Medium, seed: int) -> bool:
    def theirs_to_ours() -> str:
        items = make_items(medium.model, seed)
        theirs = Theirs(medium.theirs)
        try:
            theirs.store(items)
        finally:
            theirs.close()
        Ours(medium.ours).check(items)
        return f"{len(items)} objects of LMCache 0.5.6 looked up, loaded and kept by ours"

    def ours_to_theirs() -> str:
        items = make_items(medium.model, seed + 1)
        Ours(medium.ours).store(items)
        theirs = Theirs(medium.theirs)
        try:
            theirs.check(items)
        finally:
            theirs.close()
        return f"{len(items)} objects of ours looked up and loaded by LMCache 0.5.6"

    good = attempt(f"{medium.name}-theirs-to-ours", theirs_to_ours)
    return attempt(f"{medium.name}-ours-to-theirs", ours_to_theirs) and good


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        results = [both_ways(medium, 100 * number) for number, medium in enumerate(media(pathlib.Path(name)))]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
