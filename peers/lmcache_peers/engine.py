# lmcache · SPDX-License-Identifier: Apache-2.0
"""A real vLLM engine with LMCache's unmodified connector, or with the package of LMCACHE_PEERS_CLIENT."""

from __future__ import annotations

import json
import pathlib
import re
import time
from dataclasses import dataclass, field
from typing import Any

from lmcache_peers import settings, web
from lmcache_peers.processes import Process, wait_for

HEARTBEAT_SECONDS = 3
MODEL_NAME = "peer"

_METRIC = re.compile(r"^vllm:external_prefix_cache_(queries|hits)_total\{[^}]*\} ([0-9.e+]+)$", re.MULTILINE)


@dataclass
class Completion:
    """What the engine made of one prompt."""

    token_ids: list[int] = field(default_factory=list)
    log_probabilities: list[float] = field(default_factory=list)
    text: str = ""
    first_token_seconds: float = 0.0
    total_seconds: float = 0.0

    def same_as(self, other: Completion) -> bool:
        """Whether both are the same tokens; a cached byte that is wrong changes all of them with this model."""
        return bool(self.token_ids) and self.token_ids == other.token_ids

    def largest_difference(self, other: Completion) -> float:
        """The largest difference between the log probabilities of the chosen tokens."""
        pairs = zip(self.log_probabilities, other.log_probabilities, strict=False)
        return max((abs(ours - theirs) for ours, theirs in pairs), default=0.0)


class Engine:
    """`vllm serve` on this machine's processors, in 512-token prefill steps.

    With float32 the rounding differences between batches and steps are too small to change a text.
    """

    def __init__(
        self,
        name: str,
        logs: pathlib.Path,
        server_port: int,
        mode: str = "auto",
        dtype: str = "float32",
        options: tuple[str, ...] = (),
        connector: dict[str, Any] | None = None,
        environment: dict[str, str] | None = None,
        by_name: bool = False,
<<<<<<< HEAD
        keeps_prefixes: bool = False,
        extra: dict[str, Any] | None = None,
=======
        load_mode: str = "",
>>>>>>> main
    ) -> None:
        """`by_name` takes the connector inside vLLM, which loads adapters of the package. With `keeps_prefixes` vLLM's own
        prefix cache is on. `extra` are more options of the multi-process connector.

        `connector` replaces the multi-process one, and an empty one leaves the choice to `options`.
        """
        self.name = name
        self.port = settings.free_port()
        self.log = logs / f"{name}.log"
        self._process: Process | None = None
        self._environment = environment or {}
        by_path = {} if by_name else {"kv_connector_module_path": "lmcache.integration.vllm.lmcache_mp_connector"}
        connector = connector if connector is not None else {
            "kv_connector": "LMCacheMPConnector",
            **by_path,
            "kv_role": "kv_both",
            "kv_load_failure_policy": "recompute",
            "kv_connector_extra_config": {
                "lmcache.mp.host": f"tcp://{settings.LOCAL}",
                "lmcache.mp.port": server_port,
                "lmcache.mp.heartbeat_interval": HEARTBEAT_SECONDS,
                "lmcache.mp.mp_transfer_mode": mode,
<<<<<<< HEAD
                **(extra or {}),
=======
                **({"lmcache.mp.load_mode": load_mode} if load_mode else {}),
>>>>>>> main
            },
        }
        self._command = [
            *(str(settings.ENVIRONMENT / "bin" / "vllm"), "serve", str(settings.MODEL)),
            *("--served-model-name", MODEL_NAME, "--host", settings.LOCAL, "--port", str(self.port)),
            *("--max-model-len", "4096", "--max-num-batched-tokens", "512", "--max-num-seqs", "8"),
            *("--dtype", dtype, "--block-size", "32", "--enforce-eager"),
            "--enable-prefix-caching" if keeps_prefixes else "--no-enable-prefix-caching",
            *(("--kv-transfer-config", json.dumps(connector)) if connector else ()),
            # A step that was scheduled ahead could not be taken back when it turns out that a load failed.
            *(("--no-async-scheduling",) if load_mode in ("inline", "auto") else ()),
            *options,
        ]

    @property
    def process(self) -> Process:
        assert self._process is not None, "the engine was never started"
        return self._process

    def start(self) -> None:
        """Starts it without waiting."""
        environment = settings.child_environment(
            {
                "VLLM_CPU_KVCACHE_SPACE": "1",
                "VLLM_CPU_OMP_THREADS_BIND": "nobind",
                "OMP_NUM_THREADS": "2",
                # Compiling the one small function behind log probabilities would take 20 s at the first request.
                "TORCHDYNAMO_DISABLE": "1",
                **settings.client_environment(),
                **self._environment,
            }
        )
        self._process = Process(self.name, self._command, self.log, environment)

    def wait_until_ready(self, seconds: float = 300) -> None:
        wait_for(f"{self.name} ready", seconds, self._is_ready, pause=0.5)

    def _is_ready(self) -> bool:
        if self.process.exit_status is not None:
            raise RuntimeError(f"{self.name} ended with {self.process.exit_status}:\n{self.process.text()[-3000:]}")
        return web.answers(f"http://{settings.LOCAL}:{self.port}/health")

    def kill(self) -> None:
        self.process.end()

    def stop(self) -> int | None:
        return self.process.stop(30)

    def external_tokens(self) -> tuple[int, int]:
        """How many prompt tokens the scheduler has asked the cache for so far, and how many of them it had."""
        found = dict(_METRIC.findall(self._metrics()))
        return int(float(found.get("queries", 0))), int(float(found.get("hits", 0)))

    def preemptions(self) -> int:
        """How often a request had to give its blocks to another one."""
        found = re.search(r"^vllm:num_preemptions_total\{[^}]*\} ([0-9.e+]+)$", self._metrics(), re.MULTILINE)
        return int(float(found.group(1))) if found else 0

    def _metrics(self) -> str:
        return web.get_text(f"http://{settings.LOCAL}:{self.port}/metrics")

    def complete(self, prompt: list[int], salt: str = "", tokens: int = 12, seconds: float = 90) -> Completion:
        """Greedily continues a prompt of token ids; `seconds` limits each wait for a part of the answer."""
        body: dict[str, Any] = {
            "model": MODEL_NAME,
            "prompt": prompt,
            "max_tokens": tokens,
            "temperature": 0,
            "ignore_eos": True,
            "logprobs": 0,
            "return_token_ids": True,
            "stream": True,
        }
        if salt:
            body["cache_salt"] = salt
        result = Completion()
        began = time.monotonic()
        with web.request(f"http://{settings.LOCAL}:{self.port}/v1/completions", body, seconds) as response:
            for line in response:
                self._take(line, result, time.monotonic() - began)
        result.total_seconds = time.monotonic() - began
        if len(result.token_ids) != tokens:
            raise RuntimeError(f"{self.name} answered {len(result.token_ids)} tokens instead of {tokens}")
        return result

    @staticmethod
    def _take(line: bytes, result: Completion, elapsed: float) -> None:
        if not line.startswith(b"data: {"):
            return
        event = json.loads(line[len(b"data: ") :])
        if "error" in event:
            raise RuntimeError(f"the engine answered {event['error']}")
        for choice in event["choices"]:
            result.first_token_seconds = result.first_token_seconds or elapsed
            result.text += choice.get("text") or ""
            result.token_ids += choice.get("token_ids") or []
            result.log_probabilities += (choice.get("logprobs") or {}).get("token_logprobs") or []
