# lmcache · SPDX-License-Identifier: Apache-2.0
"""vLLM's scheduler with the in-process connector and the real library: every byte that is read is compared."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("vllm")

import lmcache.native  # noqa: E402

if not lmcache.native.is_available():
    pytest.skip("the library is not built", allow_module_level=True)

from in_process_harness import Engine, InProcessSetup  # noqa: E402
from scheduler_harness import expected  # noqa: E402

PROMPT = [7 * index % 991 for index in range(100)]
"""Six chunks and four tokens."""


@pytest.fixture
def engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in [name for name in os.environ if name.startswith("LMCACHE_") and name != "LMCACHE_LIBRARY"]:
        monkeypatch.delenv(name)
    made: list[Engine] = []

    def make(**more: Any) -> Engine:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        monkeypatch.setenv("LMCACHE_RUNTIME_DIR", f"/tmp/lmcache-tests-{os.getpid()}")
        made.append(Engine(InProcessSetup(**{"url": "tcp://127.0.0.1:1", "folder": folder, **more})))
        return made[-1]

    yield make
    for engine in made:
        engine.shutdown()
    os.rmdir(f"/tmp/lmcache-tests-{os.getpid()}")


def test_second_prompt_is_loaded(engines: Any) -> None:
    engine = engines()
    assert engine.complete("cold", PROMPT) == expected(PROMPT, 4)
    assert engine.complete("warm", PROMPT) == expected(PROMPT, 4)
    assert (engine.hits["cold"], engine.hits["warm"]) == (0, 96)
    assert engine.free_blocks() == engine.setup.blocks - 1
    assert engine.leases() == 0


def test_a_prompt_of_whole_chunks_leaves_one_token(engines: Any) -> None:
    engine = engines()
    engine.complete("cold", PROMPT[:96])
    assert engine.complete("warm", PROMPT[:96]) == expected(PROMPT[:96], 4)
    assert engine.hits["warm"] == 95


@pytest.mark.parametrize("policy", ["recompute", "fail"])
@pytest.mark.parametrize("ranks", [1, 2])
def test_a_failed_load_is_computed_or_fails_and_never_stored(engines: Any, ranks: int, policy: str) -> None:
    engine = engines(ranks=ranks, policy=policy)
    longer = PROMPT + [3 * index % 997 for index in range(60)]
    engine.complete("cold", PROMPT)
    engine.workers[-1]._failing = 1.0
    if policy == "recompute":
        assert engine.complete("lost", longer) == expected(longer, 4)
    else:
        engine.complete("lost", longer)
        assert engine.errors == {"lost"}
    engine.workers[-1]._failing = 0.0
    assert engine.complete("warm", longer) == expected(longer, 4)
    assert engine.hits["warm"] == (160 - 1 if policy == "recompute" else 96)
    assert engine.leases() == 0


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("prefix_caching", [False, True])
@pytest.mark.parametrize(("ranks", "in_flight"), [(1, 1), (1, 2), (2, 1), (2, 3)])
def test_many_prompts_with_preemptions_aborts_and_failing_loads(
    engines: Any, ranks: int, in_flight: int, prefix_caching: bool, seed: int
) -> None:
    engine = engines(
        ranks=ranks,
        in_flight=in_flight,
        prefix_caching=prefix_caching,
        # A preemption with steps in flight is beyond what this harness does in vLLM's place.
        blocks=48 if in_flight == 1 else 400,
        step_tokens=48,
        failing=0.3,
        seed=seed,
    )
    chance = random.Random(seed)
    shared = [chance.randrange(1000) for _ in range(120)]
    prompts = [
        shared[: chance.randrange(0, 120)] + [chance.randrange(1000) for _ in range(chance.randrange(1, 60))]
        for _ in range(8)
    ]
    asked: dict[str, list[int]] = {}
    for index in range(40):
        name, prompt = f"r{index}", prompts[chance.randrange(len(prompts))]
        asked[name] = prompt
        engine.add(name, prompt, most=chance.randrange(1, 12))
        for _ in range(chance.randrange(4)):
            engine.step()
        # vLLM takes blocks of an aborted request that failed for those of the next one, with steps in flight.
        if chance.random() < 0.15 and in_flight == 1:
            asked.pop(name)
            engine.abort(name)
    engine.run()
    for name, prompt in asked.items():
        answer = list(engine.requests[name].output_token_ids)
        assert answer == expected(prompt, len(answer)) and answer, name
    assert sum(engine.hits.values()) > 0
    assert prefix_caching or sum(worker.failures for worker in engine.workers) > 0
    assert engine.free_blocks() == engine.setup.blocks - 1
    assert engine.leases() == 0
    # What was stored meanwhile is right.
    for worker in engine.workers:
        worker._failing = 0.0
    for index, prompt in enumerate(prompts):
        assert engine.complete(f"last{index}", prompt) == expected(prompt, 4)
    connector = engine.connector._lmcache_engine._scheduler
    assert (connector.trackers, connector._held, connector._reached, connector._kept) == ({}, [], {}, {})
