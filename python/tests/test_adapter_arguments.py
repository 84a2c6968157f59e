# lmcache · SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest
from test_wire_goldens import VECTORS

from lmcache.integration.vllm.adapter_arguments import AdapterArguments
from lmcache.integration.vllm.load_store_op import LoadStoreOp
from lmcache.integration.vllm.multimodal import tokens_for
from lmcache.integration.vllm.parallel_strategy import ParallelStrategy
from lmcache.integration.vllm.settings import ConnectorSettings

URL = "tcp://localhost:5555"
VLLM = ParallelStrategy(False, 2, 1, 2, 1, 2, 1)

SHAPES: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((URL, None, "m", 2, 1, 16), {}),
    ((URL, None, "m", 2, 1, 16), {"mq_timeout": 5, "heartbeat_interval": 1}),
    ((URL, None, "m", 2, 1, 16), {"tp_size": 2}),
    ((URL, None, "m"), {"world_size": 2, "kv_rank": 1, "vllm_block_size": 16}),
    ((), {"server_url": URL, "context": None, "model_name": "m", "vllm_block_size": 16, "parallel_strategy": VLLM}),
    ((), {"server_urls": [URL], "context": None, "model_name": "m", "vllm_block_size": 16, "parallel_strategy": VLLM}),
    ((URL, None, "m", 16, VLLM), {}),
    (([URL], None, "m", 16, VLLM), {"extra_config": {}}),
    (([URL], None, "m", 2, 1), {"legacy_block_size": 16}),
    (("localhost:5555", None, "m", 16), {"parallel_strategy": VLLM}),
]


@pytest.mark.parametrize(("values", "named"), SHAPES)
def test_every_historic_shape(values: tuple[Any, ...], named: dict[str, Any]) -> None:
    arguments = AdapterArguments(*values, **named)
    assert arguments.urls == [URL]
    assert arguments.model_name == "m"
    assert arguments.block_size == 16
    assert (arguments.strategy.key_world_size, arguments.strategy.key_worker_id) == (2, 1)


@pytest.mark.parametrize("values", [(), (URL,), (URL, None, "m"), (URL, None, "m", 2, 1)])
def test_what_is_missing_is_named(values: tuple[Any, ...]) -> None:
    with pytest.raises(TypeError, match="the adapter needs"):
        AdapterArguments(*values)


def test_vllms_strategy_with_mla() -> None:
    strategy = ParallelStrategy(True, 2, 1, 8, 5, 4, 2)
    assert (strategy.key_world_size, strategy.key_worker_id, strategy.num_readers) == (2, 1, 4)
    assert not strategy.is_writer and not strategy.is_first_rank_of_pp_group
    assert ParallelStrategy(True, 2, 1, 8, 4, 4, 2).is_writer


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ((False, 4, 3, 4, 1, 1), (4, 3, 1, True)),
        ((False, 4, 3, 4, 1, 2), (2, 1, 1, True)),
        ((True, 8, 5, 4, 2, 1), (2, 1, 4, False)),
        ((True, 8, 4, 4, 2, 1), (2, 1, 4, True)),
    ],
)
def test_own_strategy(values: tuple[Any, ...], key: tuple[int, int, int, bool]) -> None:
    s = ParallelStrategy(*values)
    assert (s.key_world_size, s.key_worker_id, s.num_readers, s.is_writer) == key


def test_own_strategy_with_context_parallel_shards() -> None:
    s = ParallelStrategy(
        mla_only=True, vllm_world_size=4, vllm_worker_id=3, tp_size=4, pp_size=1, n_servers=1, dcp_size=2
    )
    assert (s.key_world_size, s.key_worker_id, s.num_readers, s.is_writer) == (2, 1, 2, False)


def test_operation_with_flat_and_nested_blocks() -> None:
    assert len(LoadStoreOp([1, 2], [3, 4], 0, 2)) == 2
    assert LoadStoreOp([], [3, 4]).groups == [[3, 4]]
    assert LoadStoreOp([], [[3, 4], [5]]).groups == [[3, 4], [5]]
    assert LoadStoreOp([], []).groups == [[]]
    assert len(LoadStoreOp([], [[3, 4], [5]])) == 3


def test_image_tokens_match_the_golden_vector() -> None:
    golden = next(vector["decoded"] for vector in VECTORS if vector["kind"] == "mm_tokens")
    assert tokens_for(golden["identifier"], golden["length"]) == golden["values"]


@pytest.mark.parametrize(
    ("extra", "urls"),
    [
        ({}, [URL]),
        ({"lmcache.mp.host": "10.0.0.1", "lmcache.mp.port": "6"}, ["tcp://10.0.0.1:6"]),
        ({"lmcache.mp.host": "ipc:///tmp/s"}, ["ipc:///tmp/s"]),
        ({"lmcache.mp.server_urls": "a:1, tcp://b:2"}, ["tcp://a:1", "tcp://b:2"]),
        ({"lmcache.mp.server_urls": ["a:1"]}, ["tcp://a:1"]),
    ],
)
def test_addresses(extra: dict[str, Any], urls: list[str]) -> None:
    assert ConnectorSettings.parse(extra).urls == urls


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ({"lmcache.mp.mq_timeout": "soon"}, "mq_timeout is 'soon'"),
        ({"lmcache.mp.heartbeat_interval": 0}, "heartbeat_interval is 0"),
        ({"lmcache.mp.save_decode_cache": "true"}, "save_decode_cache is 'true'"),
        ({"lmcache.mp.mp_transfer_mode": "magic"}, "mp_transfer_mode is 'magic'"),
        ({"lmcache.mp.eager_prefetch": "perhaps"}, "eager_prefetch is 'perhaps'"),
        ({"lmcache.mp.host": "grpc://a"}, "server address"),
    ],
)
def test_bad_settings_are_named(extra: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ConnectorSettings.parse(extra)
