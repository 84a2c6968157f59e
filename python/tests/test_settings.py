# lmcache · SPDX-License-Identifier: Apache-2.0
"""Keys of kv_connector_extra_config: known, unknown, of the wrong type, refused by name."""

from __future__ import annotations

from typing import Any

import pytest

from lmcache.integration.vllm.settings import ConnectorSettings


def parse(environment: dict[str, str] | None = None, **options: Any) -> ConnectorSettings:
    extra = {f"lmcache.mp.{name.replace('__', '.')}": value for name, value in options.items()}
    return ConnectorSettings.parse(extra, environment or {})


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("lmcache.mp.prot", "did you mean lmcache.mp.port?"),
        ("lmcache.mp.heartbeat_intervall", "did you mean lmcache.mp.heartbeat_interval?"),
        ("lmcache.mp.eager_prefetching", "did you mean lmcache.mp.eager_prefetch?"),
        ("lmcache.mp.autostart.args", "did you mean lmcache.mp.autostart"),
        ("lmcache.mp.zzzzzzz", "known are server_urls, host, port"),
    ],
)
def test_unknown_key_is_an_error_with_a_hint(key: str, hint: str) -> None:
    with pytest.raises(ValueError, match=f"unknown key {key}") as error:
        ConnectorSettings.parse({key: 1})
    assert hint in str(error.value)


def test_keys_of_others_are_left_alone() -> None:
    ConnectorSettings.parse({"lmcache.chunk_size": 256, "num_ranks": 3, "lmcache.mp": 1})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mq_timeout": "soon"}, "mq_timeout is 'soon'; it must be a positive number of seconds"),
        ({"mq_timeout": True}, "mq_timeout is True"),
        ({"mq_timeout": float("inf")}, "mq_timeout is inf"),
        ({"mq_timeout": [1]}, r"mq_timeout is \[1\]"),
        ({"port": 0}, "port is 0; it must be a port from 1 to 65535"),
        ({"port": "5555x"}, "port is '5555x'"),
        ({"port": 3.5}, "port is 3.5"),
        ({"host": 7}, "host is 7; it must be text"),
        ({"server_urls": 5}, "server_urls is 5; it must be a list of addresses"),
        ({"server_urls": ["a:1", 2]}, "server_urls is"),
        ({"server_urls": "a:1,tcp://a:1"}, "names a server twice"),
        ({"server_urls": "grpc://a:1"}, "the schemes are tcp"),
        ({"nonblocking_lookup_status": "maybe"}, "nonblocking_lookup_status is 'maybe'"),
        ({"save_decode_cache": 1}, "save_decode_cache is 1; it must be true or false, not text"),
        ({"hash_algorithm": "sha256"}, "hash_algorithm is 'sha256'; it must be one of blake3, sha256_cbor"),
        ({"lazy_offload_policy": "LRU"}, "lazy_offload_policy is 'LRU'; it must be one of EVICTION_AWARE, FIFO"),
        ({"lazy_offload_threshold": 0}, "lazy_offload_threshold is 0"),
        ({"lazy_offload_select_count": 1.5}, "lazy_offload_select_count is 1.5"),
        ({"lazy_offload_max_deferral_seconds": -1}, "lazy_offload_max_deferral_seconds is -1"),
        ({"transfer_intermediate_tensors": True}, "transfer_intermediate_tensors is not supported: query tensors"),
        ({"isolated_ipc": "on"}, "isolated_ipc is not supported"),
        ({"use_vmm_api": "1"}, "use_vmm_api is not supported"),
        ({"lazy_offload": "maybe"}, "lazy_offload is 'maybe'; it must be true or false"),
        ({"lazy_offload_horizon_steps": 0}, "lazy_offload_horizon_steps is 0; it must be a positive number"),
        ({"lazy_offload_max_drain_per_step": 0}, "lazy_offload_max_drain_per_step is 0"),
        ({"autostart": True, "server_urls": "a:1,b:2"}, "autostart starts one server"),
        ({"autostart": True, "autostart__server_args": "--port 3"}, "server_args has --port"),
        ({"autostart": True, "autostart__server_args": "'"}, "server_args cannot be split"),
        ({"autostart": True, "host": "10.0.0.1"}, "autostart starts a server on this machine only"),
        ({"autostart__wait_timeout": 0}, "autostart.wait_timeout is 0"),
    ],
)
def test_wrong_values_are_named(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse(**options)


def test_words_and_numbers_as_text_are_accepted() -> None:
    settings = parse(
        eager_prefetch="on", mq_timeout="12", port="77", mp_transfer_mode="ENGINE_DRIVEN", lazy_offload_policy="fifo"
    )
    assert settings.eager_prefetch and settings.mq_timeout == 12 and settings.urls == ["tcp://localhost:77"]
    assert settings.mode == "engine_driven" and settings.lazy_offload is None


def test_deferred_stores_have_the_original_defaults() -> None:
    lazy = parse(lazy_offload="true").lazy_offload
    assert lazy is not None and lazy.policy == "EVICTION_AWARE" and lazy.horizon_steps is None
    assert (lazy.max_drain_per_step, lazy.max_deferral_seconds) == (64, 0)
    assert (lazy.threshold, lazy.select_count) == (100, 10)
    lazy = parse(lazy_offload=1, lazy_offload_horizon_steps="0.5", lazy_offload_policy="fifo").lazy_offload
    assert lazy is not None and lazy.horizon_steps == 0.5 and lazy.policy == "FIFO"


def test_key_wins_over_variable_and_variable_over_default() -> None:
    variable = {"LMCACHE_MP_TRANSFER_MODE": "lmcache_driven"}
    assert parse().mode == "auto"
    assert parse(variable).mode == "lmcache_driven"
    assert parse(variable, mp_transfer_mode="engine_driven").mode == "engine_driven"
    with pytest.raises(ValueError, match="LMCACHE_MP_TRANSFER_MODE is 'magic'"):
        parse({"LMCACHE_MP_TRANSFER_MODE": "magic"})


def test_each_value_is_said_once() -> None:
    lines = parse({"LMCACHE_MP_TRANSFER_MODE": "auto"}, port=6, eager_prefetch=True).lines()
    text = "\n".join(lines)
    assert "lmcache.mp.port = 6 (kv_connector_extra_config)" in lines
    assert "lmcache.mp.mp_transfer_mode = 'auto' (LMCACHE_MP_TRANSFER_MODE)" in lines
    assert all(text.count(name) == 1 for name in ("mq_timeout", "heartbeat_interval", "hash_algorithm", "server_urls"))
