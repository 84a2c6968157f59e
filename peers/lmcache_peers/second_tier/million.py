# lmcache · SPDX-License-Identifier: Apache-2.0
"""The start over a million small objects, and lookups among them."""

from __future__ import annotations

import json
import os
import pathlib
import shlex
import subprocess
import tempfile

from lmcache_peers.second_tier.samples import Rates, Samples

COUNTS = (1_000_000, 1_000)
MODEL = "meta-llama/Llama-3.1-8B-Instruct"
CONTENT = b"12345678"


def digits(number: int) -> str:
    """A hash in 64 hexadecimal digits, no two alike, in no order that a directory keeps."""
    mixed = number * 0x9E3779B97F4A7C15 & (1 << 64) - 1
    return f"{mixed:016x}{number:016x}{mixed ^ number:016x}{mixed * 31 & (1 << 64) - 1:016x}"


def make(folder: pathlib.Path, count: int) -> None:
    """Writes the objects unless an earlier run has."""
    if (folder / ".complete").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    directory = os.open(folder, os.O_RDONLY)
    prefix = MODEL.replace("/", "-SEP-")
    for number in range(count):
        name = f"{prefix}@0x00000100@0@{digits(number)}.data"
        descriptor = os.open(name, os.O_WRONLY | os.O_CREAT, dir_fd=directory)
        os.write(descriptor, CONTENT)
        os.close(descriptor)
    os.close(directory)
    (folder / ".complete").touch()


def probe(folder: pathlib.Path, keys: pathlib.Path) -> Rates:
    program = shlex.split(os.environ.get("LMCACHE_L2_OBJECTS", ".build/release/lmcache-l2-objects"))
    adapter = json.dumps({"type": "fs", "base_path": str(folder)})
    text = subprocess.run([*program, "probe", adapter, str(keys)], capture_output=True, text=True, check=True).stdout
    return {name: float(value) for name, value in (line.split() for line in text.splitlines())}


def measure(folder: pathlib.Path, samples: Samples, repeats: int) -> None:
    """Prints medians; the keys looked up are the same 1,000 in both directories."""
    for count in COUNTS:
        make(folder / str(count), count)
    with tempfile.TemporaryDirectory() as keys:
        entries = [
            {
                "model": MODEL, "rank": 0x100, "group": 0, "hash": digits(number), "salt": "", "file": str(number),
                "size": len(CONTENT),
            }
            for number in range(COUNTS[-1])
        ]  # fmt: skip
        (pathlib.Path(keys) / "keys.json").write_text(json.dumps(entries))
        tools = {str(count): lambda count=count: probe(folder / str(count), pathlib.Path(keys)) for count in COUNTS}
        rows = samples.take("million", tools, repeats)
    many, few = (rows[str(count)] for count in COUNTS)
    if many["objects"] != COUNTS[0] or many["present"] != COUNTS[-1]:
        raise RuntimeError(f"the directory of {COUNTS[0]} objects has {many}")
    print(f"million start: {many['started_us'] / 1e6:.2f} s, {(many['resident_kib'] - few['resident_kib']) / 1024:.0f} MiB")
    for name in ("one_lookup_ns", "all_lookups_us"):
        print(f"million {name}: {many[name]:.0f}, of {COUNTS[-1]} {few[name]:.0f}, {many[name] / few[name] - 1:+.0%}")
