# lmcache · SPDX-License-Identifier: Apache-2.0
"""The in-process connector with the signatures of vLLM 0.8.5. Imports vLLM."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vllm.distributed.kv_transfer.kv_connector.v1.base import KVConnectorBase_V1, KVConnectorMetadata, KVConnectorRole

from lmcache.integration.vllm.vllm_v1_adapter import LMCacheConnectorV1Impl

if TYPE_CHECKING:
    import torch


class LMCacheConnectorV1Dynamic(KVConnectorBase_V1):  # type: ignore[misc]
    """The old form: a lookup gives a number at once, and a failed load cannot be told."""

    def __init__(self, vllm_config: Any, role: KVConnectorRole) -> None:
        super().__init__(vllm_config=vllm_config, role=role)
        self._lmcache_engine = LMCacheConnectorV1Impl(vllm_config, role, self, can_wait=False)

    def start_load_kv(self, forward_context: Any, **kwargs: Any) -> None:
        """Loads what this step's requests need. Raises `RuntimeError` when that fails: this vLLM could not compute it."""
        self._lmcache_engine.start_load_kv(forward_context, **kwargs)
        self._raise_for_failed_loads()

    def wait_for_layer_load(self, layer_name: str) -> None:
        """Waits for what the layer needs."""
        self._lmcache_engine.wait_for_layer_load(layer_name)
        self._raise_for_failed_loads()

    def _raise_for_failed_loads(self) -> None:
        if blocks := self._lmcache_engine.get_block_ids_with_load_errors():
            raise RuntimeError(f"{len(blocks)} blocks could not be loaded from the cache")

    def save_kv_layer(self, layer_name: str, kv_layer: torch.Tensor, attn_metadata: Any, **kwargs: Any) -> None:
        """A layer has been computed."""
        self._lmcache_engine.save_kv_layer(layer_name, kv_layer, attn_metadata, **kwargs)

    def wait_for_save(self) -> None:
        """Stores what this step has computed."""
        self._lmcache_engine.wait_for_save()

    def shutdown(self) -> None:
        """Ends the cache, or the connections to it."""
        self._lmcache_engine.shutdown()

    def get_num_new_matched_tokens(self, request: Any, num_computed_tokens: int) -> int:
        """Tokens that a load would bring beyond the engine's own."""
        return self._lmcache_engine.get_num_new_matched_tokens(request, num_computed_tokens) or 0

    def update_state_after_alloc(self, request: Any, num_external_tokens: int) -> None:
        """The request has its blocks."""
        self._lmcache_engine.update_state_after_alloc(request, num_external_tokens)

    def build_connector_meta(self, scheduler_output: Any) -> KVConnectorMetadata:
        """What the workers do in this step."""
        return self._lmcache_engine.build_connector_meta(scheduler_output)
