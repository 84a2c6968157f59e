# lmcache · SPDX-License-Identifier: Apache-2.0
"""Every class that vLLM builds can be called as vLLM calls it; skipped where vLLM is not installed."""

from __future__ import annotations

import ast
import inspect
import textwrap
from typing import Any

import pytest

pytest.importorskip("vllm")

from vllm.distributed.kv_transfer.kv_connector.v1 import base, lmcache_connector  # noqa: E402

from lmcache.integration.vllm import lmcache_connector_v1_085  # noqa: E402
from lmcache.integration.vllm.lmcache_connector_v1 import LMCacheConnectorV1Dynamic  # noqa: E402
from lmcache.integration.vllm.lmcache_mp_connector import LMCacheMPConnector  # noqa: E402
from lmcache.integration.vllm.vllm_v1_adapter import LMCacheConnectorV1Impl  # noqa: E402

CLASSES = [LMCacheMPConnector, LMCacheConnectorV1Dynamic]


def parameters(function: Any) -> list[str]:
    """Names without self, and without what collects the rest."""
    kinds = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    found = inspect.signature(function).parameters.values()
    return [parameter.name for parameter in found if parameter.kind not in kinds and parameter.name != "self"]


def base_methods() -> list[str]:
    names = {name for cls in (base.KVConnectorBase_V1, base.SupportsHMA) for name in vars(cls)}
    return sorted(n for n in names if not n.startswith("_") and inspect.isroutine(getattr(base.KVConnectorBase_V1, n, 0)))


@pytest.mark.parametrize("cls", CLASSES)
def test_methods_take_what_the_base_class_takes(cls: type) -> None:
    checked = 0
    for name in base_methods():
        own = next((vars(c)[name] for c in cls.__mro__ if name in vars(c)), None)
        if own is None or own is vars(base.KVConnectorBase_V1).get(name):
            continue
        assert parameters(getattr(cls, name)) == parameters(getattr(base.KVConnectorBase_V1, name)), name
        checked += 1
    assert checked >= 12


@pytest.mark.parametrize("cls", CLASSES)
def test_nothing_is_left_abstract(cls: type) -> None:
    assert not cls.__abstractmethods__  # type: ignore[attr-defined]
    assert parameters(cls) == ["vllm_config", "role", "kv_cache_config"]


def test_the_implementation_answers_every_call_of_vllms_own_class() -> None:
    """The calls are read from vLLM's source, so another release is checked as it is."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(lmcache_connector.LMCacheConnectorV1)))
    calls = 0
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        if ast.unparse(node.func.value) not in ("self._lmcache_engine", "engine"):
            continue
        signature = inspect.signature(getattr(LMCacheConnectorV1Impl, node.func.attr))
        signature.bind(None, *[None for _ in node.args])
        calls += 1
    assert calls >= 12
    assert parameters(LMCacheConnectorV1Impl)[:3] == ["vllm_config", "role", "parent"]


OLD_FORM = {
    "__init__": ["vllm_config", "role"],
    "start_load_kv": ["forward_context"],
    "wait_for_layer_load": ["layer_name"],
    "save_kv_layer": ["layer_name", "kv_layer", "attn_metadata"],
    "wait_for_save": [],
    "get_num_new_matched_tokens": ["request", "num_computed_tokens"],
    "update_state_after_alloc": ["request", "num_external_tokens"],
    "build_connector_meta": ["scheduler_output"],
    "shutdown": [],
}


@pytest.mark.parametrize(("name", "expected"), OLD_FORM.items())
def test_the_old_form_keeps_its_signatures(name: str, expected: list[str]) -> None:
    assert parameters(getattr(lmcache_connector_v1_085.LMCacheConnectorV1Dynamic, name)) == expected


def test_cuda_graphs_are_piecewise_when_layers_must_be_waited_for() -> None:
    wanted = LMCacheConnectorV1Dynamic.requires_piecewise_for_cudagraph
    assert [wanted({}), wanted({"use_layerwise": True}), wanted({"lmcache.use_layerwise": True})] == [False, True, True]
