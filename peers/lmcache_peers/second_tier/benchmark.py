# lmcache · SPDX-License-Identifier: Apache-2.0
"""Bytes a second through a second tier: the tool of the field, ours and LMCache 0.5.6 in one run.

    benchmark-second-tier [--folder FOLDER] [--objects N] [--kib N] [--depth N] [--repeats N] [--only fs,resp,million]
                          [--samples FILE] [--million FOLDER]

Needs fio for files and redis-benchmark with redis-server for Redis. The program is LMCACHE_SERVER_COMMAND's, which must be
ours. Everything goes through the page cache; nothing else should run meanwhile. The tools take turns; before each turn
the disk has written everything that the one before left. Figures are medians of the turns, those that FILE keeps from
earlier runs included: where a machine is quiet for short times only, run it several times with one repeat.

`million` times the start over a directory of 1,000,000 small objects, and lookups in it and in one of 1,000
(LMCACHE_L2_OBJECTS is the program, else .build/release/lmcache-l2-objects). FOLDER keeps the files for later runs.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace

from lmcache_peers import settings
from lmcache_peers.processes import Process, end_all, wait_for
from lmcache_peers.second_tier import million
from lmcache_peers.second_tier.samples import Rates, Samples

MIB = 1 << 20


@dataclass(frozen=True)
class Load:
    """What is moved: `objects` of `kib` KiB, `depth` at once."""

    objects: int
    kib: int
    depth: int
    repeats: int

    @property
    def bytes(self) -> int:
        return self.objects * self.kib * 1024


def run(command: list[str], seconds: float = 300) -> str:
    finished = subprocess.run(
        command, capture_output=True, text=True, timeout=seconds, env=settings.child_environment(), check=False
    )
    if finished.returncode != 0:
        raise RuntimeError(f"{command[0]} ended with {finished.returncode}: {finished.stderr[-500:]}")
    return finished.stdout


def fio(folder: pathlib.Path, load: Load) -> Rates:
    """Whole files written and read by as many threads as objects are in flight."""
    rates: Rates = {}
    for operation, word in (("store", "write"), ("load", "read")):
        text = run([
            "fio", "--name=objects", f"--directory={folder}", f"--rw={word}", f"--bs={load.kib}k",
            f"--filesize={load.kib}k", f"--nrfiles={load.objects // load.depth}", f"--numjobs={load.depth}",
            "--thread", "--ioengine=psync", "--group_reporting", "--output-format=json", "--fallocate=none",
            "--file_service_type=sequential", "--openfiles=1", "--invalidate=0",
        ])  # fmt: skip
        rates[operation] = json.loads(text[text.index("{") :])["jobs"][0][word]["bw_bytes"] / MIB
    return rates


def redis_benchmark(port: int, load: Load) -> Rates:
    """SET of keys that are not there and GET of keys that are, as ours and LMCache do it."""
    rates: Rates = {}
    for operation, word, keys in (("store", "set", 10**11), ("load", "get", load.objects)):
        text = run([
            "redis-benchmark", "-p", str(port), "-t", word, "-d", str(load.kib * 1024), "-c", str(load.depth),
            "-n", str(load.objects), "-r", str(keys), "--csv",
        ])  # fmt: skip
        row = next(line for line in text.splitlines() if line.startswith(f'"{word.upper()}"'))
        rates[operation] = float(row.split(",")[1].strip('"')) * load.kib * 1024 / MIB
        if operation == "store":
            run(["redis-cli", "-p", str(port), "flushall"])
            run(["redis-cli", "-p", str(port), "eval", FILL, "0", str(load.objects), str(load.kib * 1024)])
    return rates


def is_up(port: int) -> bool:
    ping = subprocess.run(["redis-cli", "-p", str(port), "ping"], capture_output=True, text=True, check=False)
    return "PONG" in ping.stdout


FILL = """
local value = string.rep('x', ARGV[2])
for number = 0, ARGV[1] - 1 do
    local key = string.format('key:%012d', number)
    redis.call('set', key, value)
end
"""


def bench_l2(command: list[str], adapter: dict[str, object], load: Load) -> Rates:
    """`lmcache bench l2` of either program."""
    text = run([
        *command, "bench", "l2", "--l2-adapter", json.dumps(adapter), "--num-keys", str(load.objects // load.depth),
        "--in-flight", str(load.depth), "--data-size-kb", str(load.kib), "--rounds", "1", "--warmup-rounds", "0",
        "--l1-align-bytes", "4096", "--format", "json",
    ])  # fmt: skip
    document, _ = json.JSONDecoder().raw_decode(text[text.index('{\n  "title"') :])
    rates: Rates = {}
    for name, entry in document["metrics"].items():
        if name.startswith("op_") and entry["operation"] in ("Store", "Load"):
            complete = entry["total_success"] == entry["total_keys"]
            rates[entry["operation"].lower()] = entry["throughput_avg_mbps"] if complete else 0.0
    return rates


def fresh(folder: pathlib.Path) -> pathlib.Path:
    """An empty folder in the given one, with nothing left to write from the turn before."""
    shutil.rmtree(folder / "objects", ignore_errors=True)
    (folder / "objects").mkdir()
    os.sync()
    return folder / "objects"


def show(tier: str, tool: str, rows: dict[str, Rates]) -> None:
    for operation in ("store", "load"):
        reference, ours = rows[tool][operation], rows["ours"][operation]
        cells = [f"{name} {rates[operation]:.0f}" for name, rates in rows.items()]
        peers = [f"{ours / rates[operation]:.2f} x {name}" for name, rates in rows.items() if name not in (tool, "ours")]
        print(f"{tier} {operation}: {', '.join(cells)} MB/s; ours {100 * ours / reference:.0f} % of {tool} {peers}")


def files(folder: pathlib.Path, load: Load, samples: Samples) -> None:
    ours, original = settings.server_command()[:-1], settings.original_command()

    def bench(command: list[str], **more: object) -> Rates:
        return bench_l2(command, {"type": "fs", "base_path": str(fresh(folder)), **more}, load)

    tools: dict[str, Callable[[], Rates]] = {
        "fio": lambda: fio(fresh(folder), load),
        "ours": lambda: bench(ours, num_workers=load.depth),
        "LMCache 0.5.6": lambda: bench(original),
    }
    show("fs", "fio", samples.take("fs", tools, load.repeats))


def redis(folder: pathlib.Path, load: Load, samples: Samples) -> None:
    # A quarter of the objects: their memory is in the server and in the client.
    load = replace(load, objects=load.objects // 4)
    port = settings.free_port()
    server = Process(
        "redis", ["redis-server", "--port", str(port), "--save", "", "--appendonly", "no"], folder / "redis.log", {}
    )
    wait_for("redis", 10, lambda: is_up(port) or None)
    adapter = {"type": "resp", "host": settings.LOCAL, "port": port, "num_workers": load.depth}

    def emptied(measure: Callable[[], Rates]) -> Callable[[], Rates]:
        def turn() -> Rates:
            run(["redis-cli", "-p", str(port), "flushall"])
            return measure()

        return turn

    tools = {
        "redis-benchmark": emptied(lambda: redis_benchmark(port, load)),
        "ours": emptied(lambda: bench_l2(settings.server_command()[:-1], adapter, load)),
        "LMCache 0.5.6": emptied(lambda: bench_l2(settings.original_command(), adapter, load)),
    }
    show("resp", "redis-benchmark", samples.take("resp", tools, load.repeats))
    server.stop()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", default=None, help="on the disk to measure (default: a temporary one)")
    parser.add_argument("--objects", type=int, default=1000)
    parser.add_argument("--kib", type=int, default=4096)
    parser.add_argument("--depth", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", default="fs,resp,million")
    parser.add_argument("--samples", type=pathlib.Path, default=None, help="a JSON file of earlier turns' figures")
    parser.add_argument("--million", type=pathlib.Path, default=None, help="where the small objects are, or are made")
    given = parser.parse_args()
    load = Load(given.objects, given.kib, given.depth, given.repeats)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="lmcache-bench-", dir=given.folder))
    try:
        samples = Samples(given.samples)
        for name, measure in (("fs", files), ("resp", redis)):
            if name in given.only.split(","):
                measure(folder, load, samples)
        if "million" in given.only.split(","):
            million.measure(given.million or folder / "million", samples, load.repeats)
    finally:
        end_all()
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
