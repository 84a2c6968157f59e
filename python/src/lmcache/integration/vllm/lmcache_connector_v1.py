# lmcache · SPDX-License-Identifier: Apache-2.0
"""The in-process connector for vLLM's `kv_connector_module_path`. Imports vLLM."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from vllm.distributed.kv_transfer.kv_connector.v1.base import KVConnectorBase_V1, KVConnectorMetadata, KVConnectorRole

from lmcache.integration.vllm.vllm_v1_adapter import LMCacheConnectorV1Impl

if TYPE_CHECKING:
    import torch


class LMCacheConnectorV1Dynamic(KVConnectorBase_V1):  # type: ignore[misc]
    """Forwards to `LMCacheConnectorV1Impl`, as vLLM's own `LMCacheConnectorV1` does, and forwards the end too."""

    @classmethod
    def requires_piecewise_for_cudagraph(cls, extra_config: dict[str, Any]) -> bool:
        """Whether the hooks of single layers must run: loads are waited for at the first one."""
        return bool(extra_config.get("use_layerwise", False) or extra_config.get("lmcache.use_layerwise", False))

    def __init__(self, vllm_config: Any, role: KVConnectorRole, kv_cache_config: Any = None) -> None:
        if kv_cache_config is None:
            super().__init__(vllm_config=vllm_config, role=role)
        else:
            super().__init__(vllm_config=vllm_config, role=role, kv_cache_config=kv_cache_config)
        self._events: list[Any] = []
        self._lmcache_engine = LMCacheConnectorV1Impl(vllm_config, role, self)

    # Worker

    def register_kv_caches(self, kv_caches: dict[str, torch.Tensor]) -> None:
        """Makes the engine's memory known to the cache."""
        self._lmcache_engine.register_kv_caches(kv_caches)

    def bind_connector_metadata(self, connector_metadata: KVConnectorMetadata) -> None:
        """The plan of a step has come."""
        super().bind_connector_metadata(connector_metadata)
        self._lmcache_engine.bind_connector_metadata(connector_metadata)

    def start_load_kv(self, forward_context: Any, **kwargs: Any) -> None:
        """Loads what this step's requests need."""
        self._lmcache_engine.start_load_kv(forward_context, **kwargs)

    def wait_for_layer_load(self, layer_name: str) -> None:
        """Waits for what the layer needs."""
        self._lmcache_engine.wait_for_layer_load(layer_name)

    def save_kv_layer(self, layer_name: str, kv_layer: torch.Tensor, attn_metadata: Any, **kwargs: Any) -> None:
        """A layer has been computed."""
        self._lmcache_engine.save_kv_layer(layer_name, kv_layer, attn_metadata, **kwargs)

    def wait_for_save(self) -> None:
        """Stores what this step has computed."""
        self._lmcache_engine.wait_for_save()

    def get_finished(self, finished_req_ids: set[str]) -> tuple[set[str] | None, set[str] | None]:
        """Requests whose blocks can go, and requests whose load ended."""
        return self._lmcache_engine.get_finished(finished_req_ids)

    def get_block_ids_with_load_errors(self) -> set[int]:
        """Blocks whose loads failed since the last call."""
        return self._lmcache_engine.get_block_ids_with_load_errors()

    def get_kv_connector_kv_cache_events(self) -> Any:
        """Chunks that came to the cache or went since the last step, none when there are none."""
        if not (events := self._lmcache_engine.take_chunk_events()):
            return None
        from lmcache.integration.vllm.kv_events import as_vllm_events

        return as_vllm_events(events, self._lmcache_engine.chunk_size)

    def shutdown(self) -> None:
        """Ends the cache, or the connections to it."""
        self._lmcache_engine.shutdown()

    # Scheduler

    def get_num_new_matched_tokens(self, request: Any, num_computed_tokens: int) -> tuple[int | None, bool]:
        """Tokens that a load would bring beyond the engine's own; loads are synchronous."""
        return self._lmcache_engine.get_num_new_matched_tokens(request, num_computed_tokens), False

    def update_state_after_alloc(self, request: Any, blocks: Any, num_external_tokens: int) -> None:
        """The request has its blocks."""
        self._lmcache_engine.update_state_after_alloc(request, num_external_tokens)

    def build_connector_meta(self, scheduler_output: Any) -> KVConnectorMetadata:
        """What the workers do in this step."""
        return self._lmcache_engine.build_connector_meta(scheduler_output)

    def request_finished(self, request: Any, block_ids: list[int]) -> tuple[bool, dict[str, Any] | None]:
        """The request is over."""
        return self._lmcache_engine.request_finished(request, block_ids)

    def reset_cache(self) -> bool | None:
        """Empties the workers' caches of what nobody uses."""
        return self._lmcache_engine.reset_cache()

    def update_connector_output(self, connector_output: Any) -> None:
        """Takes in what the workers of a step had to tell."""
        events = getattr(connector_output, "kv_cache_events", None)
        if events:
            self._events += events.aggregate().get_all_events()

    def take_events(self) -> Iterable[Any]:
        """KV events since the last call."""
        if not self._events:
            return ()
        taken, self._events = self._events, []
        return taken
