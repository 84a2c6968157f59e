# lmcache · SPDX-License-Identifier: Apache-2.0
"""Time to first token of several engines that share one GPU, measured in turn, so that all see the same minute.

    bench_together.py --bench FOLDER --server PROGRAM [--contenders own,peer,native] [--then plain] [--seconds 300]
    bench_together.py --rehearse PEERS_FOLDER --server PROGRAM        the same with small CPU engines, own alone

FOLDER is an unpacked pack (bench.sh, model8b; /tmp/site, /tmp/lm53). Engines start together; only the one that is asked
works. Each repetition sends, to every contender in turn, one new prompt (cold), the same prompt after the engine's own
prefix cache was emptied (hit), and once more (own prefix cache). `own/inline` and `own/async` are one engine; requests
choose. Prints a RESULT line for each contender and length as soon as it has one; the last one of each counts.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import pathlib
import random
import signal
import statistics
import subprocess
import sys
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONNECTOR = "lmcache.integration.vllm.lmcache_mp_connector"
ENVIRONMENT = {
    # Without the first, start-up hangs in a kernel build.
    "VLLM_USE_FLASHINFER_SAMPLER": "0", "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "VLLM_SERVER_DEV_MODE": "1",
    "LMCACHE_DISABLE_BANNER": "1", "LMCACHE_TRACK_USAGE": "false", "DO_NOT_TRACK": "1", "PYTHONHASHSEED": "0",
}


@dataclasses.dataclass(slots=True)
class Contender:
    """One engine, with its server where it has one."""

    name: str
    port: int
    paths: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    server: tuple[str, ...] = ()
    # Where what is cached can be dropped between repetitions.
    clear_url: str = ""
    # What requests say; one entry for each variant.
    variants: tuple[tuple[str, dict[str, str]], ...] = ()
    processes: list[subprocess.Popen[bytes]] = dataclasses.field(default_factory=list)

    def cases(self) -> list[tuple[str, dict[str, str]]]:
        return [(f"{self.name}/{name}" if name else self.name, fields) for name, fields in self.variants or (("", {}),)]


def transfer_config(port: int) -> tuple[str, str]:
    value = {
        "kv_connector": "LMCacheMPConnector", "kv_connector_module_path": CONNECTOR, "kv_role": "kv_both",
        "kv_connector_extra_config": {"lmcache.mp.port": port},
    }
    return "--kv-transfer-config", json.dumps(value)


def contender(name: str, server: str, gigabytes: int, modes: list[str]) -> Contender:
    if name == "plain":
        return Contender("plain", 8001)
    if name == "native":
        return Contender("native", 8002, options=(
            "--kv-offloading-backend", "native", "--kv-offloading-size", str(gigabytes)))
    if name == "peer":
        return Contender("peer", 8003, paths=("/tmp/lm53",), options=transfer_config(5555), server=(
            sys.executable, "-m", "lmcache.cli.main", "server", "--l1-size-gb", str(gigabytes), "--eviction-policy",
            "LRU", "--chunk-size", "256"))
    if name == "own":
        return Contender(
            "own", 8004, paths=(str(ROOT / "python/src"),), options=transfer_config(5655),
            server=(os.path.abspath(server), "server", "--l1-size-gb", str(gigabytes), "--eviction-policy", "LRU", "--chunk-size", "256",
                    "--port", "5655", "--http-port", "8180", "--shm-name", f"bench_{os.getpid()}",
                    "--registration-journal", "none"),
            clear_url="http://127.0.0.1:8180/cache/clear",
            variants=tuple((mode, {"lmcache.mp.load_mode": mode} if mode else {}) for mode in modes))
    raise SystemExit(f"no contender {name}; plain, native, peer and own are known")


class Bench:
    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments
        self.out = pathlib.Path(os.environ.get("OUT", "."))
        self.end = time.monotonic() + arguments.seconds
        self.random = random.Random(7)
        self.figures: dict[tuple[str, int], list[tuple[float, float, float, bool]]] = {}

    # Processes

    def start(self, one: Contender) -> None:
        paths = [*one.paths, *self.arguments.site]
        environment = os.environ | ENVIRONMENT | {"PYTHONPATH": ":".join(paths)} | self.arguments.environment
        if one.server:
            one.processes.append(self._run(one.server, f"server_{one.name}", environment))
        command = (
            self.arguments.python, "-m", "vllm.entrypoints.cli.main", "serve", self.arguments.model,
            "--host", "127.0.0.1", "--port", str(one.port), *self.arguments.engine, *one.options)
        one.processes.append(self._run(command, f"vllm_{one.name}", environment))

    def _run(self, command: tuple[str, ...], name: str, environment: dict[str, str]) -> subprocess.Popen[bytes]:
        with open(self.out / f"{name}.log", "wb") as log:
            return subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, env=environment, start_new_session=True,
                cwd=self.out)

    def wait(self, one: Contender) -> bool:
        """True once it answers; says what its log ends with when it has ended."""
        while time.monotonic() < self.end:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{one.port}/health", timeout=2):
                    return True
            except OSError:
                pass
            if one.processes[-1].poll() is not None:
                break
            time.sleep(0.5)
        text = (self.out / f"vllm_{one.name}.log").read_text(errors="replace")
        errors = [line for line in text.splitlines() if "Error" in line]
        print(f"FAILED: {one.name} did not start", *errors[-4:], sep="\n  ", flush=True)
        return False

    def stop(self, one: Contender) -> None:
        for process in reversed(one.processes):
            try:
                os.killpg(process.pid, signal.SIGTERM)
            except ProcessLookupError:
                continue
        for process in reversed(one.processes):
            try:
                process.wait(8)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        one.processes.clear()

    # Requests

    def first_token(self, one: Contender, tokens: list[int], fields: dict[str, str]) -> tuple[float, str]:
        """Milliseconds until the first token, and the text."""
        body: dict[str, object] = {
            "model": self.arguments.model, "prompt": tokens, "max_tokens": 8, "temperature": 0, "stream": True,
            "ignore_eos": True}
        if fields:
            body["kv_transfer_params"] = fields
        request = urllib.request.Request(
            f"http://127.0.0.1:{one.port}/v1/completions", json.dumps(body).encode(),
            {"Content-Type": "application/json"})
        began, first, text = time.perf_counter(), 0.0, []
        with urllib.request.urlopen(request, timeout=120) as reply:
            for line in reply:
                if line.startswith(b"data: ") and b"[DONE]" not in line:
                    first = first or time.perf_counter() - began
                    text.append(json.loads(line[6:])["choices"][0]["text"])
        if not first:
            raise RuntimeError(f"{one.name} answered without a token; see its log")
        return first * 1000, "".join(text)

    def post(self, url: str) -> None:
        request = urllib.request.Request(url, b"{}", {"Content-Type": "application/json"}, method="POST")
        with urllib.request.urlopen(request, timeout=30):
            pass

    def measure(self, one: Contender, case: str, fields: dict[str, str], length: int, keep: bool = True) -> None:
        tokens = [self.random.randrange(3, 2000) for _ in range(length)]
        cold, text = self.first_token(one, tokens, fields)
        time.sleep(0.8)
        self.post(f"http://127.0.0.1:{one.port}/reset_prefix_cache")
        hit, again = self.first_token(one, tokens, fields)
        own, _ = self.first_token(one, tokens, fields)
        if not keep:
            return
        figures = self.figures.setdefault((case, length), [])
        figures.append((cold, hit, own, text == again))
        middle = [statistics.median(row[column] for row in figures) for column in range(3)]
        print(
            f"RESULT {case} len={length} n={len(figures)} cold={middle[0]:.1f} hit={middle[1]:.1f}"
            f" best_hit={min(row[1] for row in figures):.1f} own_prefix={middle[2]:.1f}"
            f" best_own={min(row[2] for row in figures):.1f} same={sum(row[3] for row in figures)}/{len(figures)}",
            flush=True)

    def compare(self, contenders: list[Contender], lengths: list[int], repeats: int) -> None:
        for one in contenders:
            for length in (300, min(lengths[-1], 8192)):
                self.measure(one, "warm-up", {}, length, keep=False)
        for length in lengths:
            for _ in range(repeats):
                for one in contenders:
                    for case, fields in one.cases():
                        if time.monotonic() > self.end:
                            return
                        self.measure(one, case, fields, length)
                    if one.clear_url:
                        self.post(one.clear_url)

    def run(self) -> int:
        modes = self.arguments.modes.split(",")
        lengths = [int(length) for length in self.arguments.lengths.split(",")]
        make = lambda name: contender(name, self.arguments.server, self.arguments.gigabytes, modes)  # noqa: E731
        running = [make(name) for name in self.arguments.contenders.split(",")]
        try:
            began = time.monotonic()
            for one in running:
                self.start(one)
            ready = [one for one in running if self.wait(one)]
            print(f"{len(ready)} engines ready after {time.monotonic() - began:.0f} s", flush=True)
            if ready:
                self.compare(ready, lengths, self.arguments.repeats)
            if self.arguments.then and time.monotonic() + 60 < self.end:
                for one in running[1:]:
                    self.stop(one)
                last = make(self.arguments.then)
                running.append(last)
                self.start(last)
                if self.wait(last):
                    print(f"{last.name} joins", flush=True)
                    self.figures.clear()
                    self.compare([running[0], last], lengths, self.arguments.repeats)
        finally:
            for one in running:
                self.stop(one)
        return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", default="")
    parser.add_argument("--rehearse", default="")
    parser.add_argument("--server", required=True)
    parser.add_argument("--contenders", default="own,peer,native")
    parser.add_argument("--then", default="plain")
    parser.add_argument("--modes", default=",", help="load modes of own, between commas; empty is the default mode")
    parser.add_argument("--lengths", default="32000,8192")
    parser.add_argument("--repeats", type=int, default=4)
    parser.add_argument("--gigabytes", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=300)
    arguments = parser.parse_args()
    arguments.modes = "" if arguments.modes == "," else arguments.modes
    arguments.python, arguments.site, arguments.environment = sys.executable, ["/tmp/site"], {}
    if arguments.rehearse:
        folder = pathlib.Path(arguments.rehearse)
        arguments.python, arguments.model = str(folder / "vllm/bin/python"), str(folder / "model")
        arguments.site, arguments.environment = [], {"VLLM_CPU_KVCACHE_SPACE": "1"}
        arguments.engine = ("--enforce-eager", "--max-model-len", "3600", "--max-num-batched-tokens", "4000")
        arguments.contenders, arguments.gigabytes, arguments.lengths = "own", 2, "3200,800"
    else:
        arguments.model = str(pathlib.Path(arguments.bench) / "model8b")
        arguments.engine = (
            "--load-format", "dummy", "--max-model-len", "34000", "--enforce-eager", "--max-num-batched-tokens", "16384",
            "--kv-cache-memory-bytes", str(6 << 30), "--gpu-memory-utilization", "0.3")
    return Bench(arguments).run()


if __name__ == "__main__":
    raise SystemExit(main())
