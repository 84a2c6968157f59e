# lmcache · SPDX-License-Identifier: Apache-2.0
"""Whether a load delays its request, or the step that runs it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lmcache.integration.vllm.settings import LOAD_MODES, PREFIX
from lmcache.integration.vllm.settings_values import choice
from lmcache.utils import init_logger

logger = init_logger(__name__)

KEY = f"{PREFIX}load_mode"
_read = choice(LOAD_MODES)


class LoadMode:
    """`async`: the request waits until its bytes are there, and other requests run meanwhile. `inline`: its step is
    launched at once and waits on the device. `auto`: inline while no other request is there.

    A request may ask for another mode than the engine's with the same key among its `kv_transfer_params`.
    """

    def __init__(self, default: str = "async", hindrance: str | None = None) -> None:
        """`hindrance` says why the engine cannot load inline; none where it can."""
        self.is_possible = hindrance is None
        """Whether any load can be a part of its step."""
        self._default = default
        self._hindrance = hindrance
        self._has_complained = False

    def is_inline(self, configs: Mapping[str, Any] | None, is_alone: bool) -> bool:
        """Whether a load of a request with these options is a part of its step."""
        if self._hindrance is not None:
            return False
        mode = self._default
        if configs is not None and KEY in configs:
            try:
                mode = _read(KEY, configs[KEY])
            except ValueError as error:
                if not self._has_complained:
                    logger.warning("a request is loaded in mode %s: %s", mode, error)
                self._has_complained = True
        return mode == "inline" or (mode == "auto" and is_alone)


def hindrance(vllm_config: Any, has_groups: bool, is_announced: bool, keeps_pool: bool) -> str | None:
    """Why this engine cannot load inline; none where it can.

    A failed inline load is only known after its step was launched. vLLM then recomputes, or fails, the requests whose
    blocks are named, but not with several groups of layers, and it would keep the next token of a step that it had
    scheduled ahead. What it recomputes may have been cached already, which we have to undo.
    """
    if has_groups:
        return "the model has several groups of layers"
    if not is_announced:
        return "the server cannot say when a load has ended"
    policy = getattr(vllm_config.kv_transfer_config, "kv_load_failure_policy", None)
    if policy is None:
        return "this vLLM cannot take a failed load back"
    if policy != "fail":
        if getattr(vllm_config.scheduler_config, "async_scheduling", False):
            return f"kv_load_failure_policy {policy!r} together with asynchronous scheduling"
        if not keeps_pool and vllm_config.cache_config.enable_prefix_caching:
            return f"kv_load_failure_policy {policy!r} together with prefix caching in this vLLM"
    return None
