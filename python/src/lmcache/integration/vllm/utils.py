# lmcache · SPDX-License-Identifier: Apache-2.0
"""Questions about vLLM's configuration."""

from __future__ import annotations

from typing import Any


def mla_enabled(model_config: Any) -> bool:
    """Whether the model's attention keeps one latent vector per token, the same on all tensor-parallel ranks."""
    return bool(getattr(model_config, "use_mla", False))


def mla_only(model_config: Any) -> bool:
    """Whether all that is cached is the same on all tensor-parallel ranks: MLA, and no layers of other kinds."""
    return mla_enabled(model_config) and not bool(getattr(model_config, "is_hybrid", False))


_LAYOUTS = {"NHD": "NHD", "HND": "HND", "LBNHC": "NHD", "LBHNC": "HND", "BLHNC": "BLHNC", "BLNHC": "BLNHC"}


def layout_hints(vllm_config: Any, kv_cache_config: Any = None) -> dict[str, str]:
    """The server's name for the order of axes in memory; empty when vLLM does not tell. Raises `ValueError`."""
    name = getattr(kv_cache_config, "kv_cache_layout", None) or getattr(
        getattr(vllm_config, "cache_config", None), "kv_cache_layout", None
    )
    if name is None:
        return {}
    if name not in _LAYOUTS:
        raise ValueError(f"KV cache layout {name} is not supported; it must be one of {', '.join(_LAYOUTS)}")
    return {"kv_layout": _LAYOUTS[name]}
