# lmcache · SPDX-License-Identifier: Apache-2.0
"""A cache whose chunks this process copies itself, one layer after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from lmcache.integration.sglang.after_copies import AfterCopies
from lmcache.integration.sglang.layer_rows import LayerRows
from lmcache.transfer.shared_pool import SharedPool
from lmcache.utils import init_logger
from lmcache.wire.types import CacheKey, EngineDrivenPool, EngineDrivenRegistration, Slot

if TYPE_CHECKING:
    import torch

logger = init_logger(__name__)

REGISTER_SECONDS = 60.0


class LayerwiseCache:
    """Stores and loads between a pool in shared memory and SGLang's layers.

    `client` is one of `lmcache.wire.client`, or of the cache in this process. Used by one thread, but for `register`.
    """

    def __init__(
        self,
        client: Any,
        instance_id: int,
        chunk_size: int,
        rows: LayerRows,
        model_name: str,
        world_size: int,
        timeout: float,
        open_pool: Callable[[EngineDrivenPool], SharedPool] = SharedPool,
    ) -> None:
        self._open_pool = open_pool
        self._client = client
        self._instance_id = instance_id
        self._chunk_size = chunk_size
        self._rows = rows
        self._timeout = timeout
        self._registration = EngineDrivenRegistration(
            instance_id=instance_id,
            model_name=model_name,
            world_size=world_size,
            block_size=1,
            num_layers=rows.layer_count,
            hidden_dim_size=rows.hidden,
            dtype_str=rows.dtype_name,
            use_mla=rows.plane_count == 1,
            num_physical_slots=chunk_size,
        )
        self._pool: tuple[int | None, SharedPool] | None = None
        self._after = AfterCopies(rows.device)

    def register(self) -> None:
        """Announces the layout and maps the pool that is named in return. Waits; raises what went wrong."""
        self._pool = None
        generation = getattr(self._client, "generation", None)
        pool = self._call(generation, "register_kv_cache_engine_driven_context", self._registration)
        self._pool = (generation, self._open_pool(pool))

    def unregister(self) -> None:
        """Makes the server forget this worker. Raises nothing."""
        self._pool = None
        try:
            self._client.call("unregister_kv_cache_engine_driven_context", self._instance_id, timeout=2.0)
        except Exception as error:
            logger.debug("not unregistered: %s", error)

    def create_event(self) -> Any:
        """Nothing: copies are made on the engine's own streams."""
        return None

    def store(self, key: CacheKey, slots: torch.Tensor) -> bool:
        """Copies the whole chunks of a key out of slots, one for each token of the range.

        They can be found once the device has made the copies. False when nothing can be stored; raises what went wrong.
        """
        if self._pool is None:
            return False
        generation, pool = self._pool
        context = self._call(generation, "prepare_store", key, self._instance_id).context
        if context.slots is None or context.chunk_indices is None:
            return False
        if not context.slots:
            return True
        chosen = self._slots_of(slots, context.chunk_indices, len(context.slots))
        chunks = [self._view(pool, slot) for slot in context.slots]
        for layer in range(self._rows.layer_count):
            self._rows.read(layer, chosen, chunks)
        return self._after.run(lambda: bool(self._call(generation, "commit_store", key, self._instance_id, b"")))

    def begin_load(self, key: CacheKey, slots: torch.Tensor, skipped: int) -> LayerLoad | None:
        """Begins the load of a key's whole chunks, which were looked up, into slots: one for each token of the range
        behind the first `skipped`. None when a chunk is not there; raises what went wrong.
        """
        if self._pool is None:
            return None
        generation, pool = self._pool

        def finish() -> bool:
            return bool(self._call(generation, "commit_retrieve", key, self._instance_id))

        reply = self._call(generation, "prepare_retrieve", key, self._instance_id)
        try:
            found = reply.context.slots or []
            if not reply.success or len(found) * self._chunk_size != key.end - key.start:
                finish()
                return None
            chunks = [self._view(pool, slot) for slot in found]
            if slots.numel() != key.end - key.start - skipped:
                raise ValueError(f"{slots.numel()} slots for {key.end - key.start - skipped} tokens")
            target = self._rows.checked(slots)
        except Exception:
            finish()
            raise
        return LayerLoad(self._rows, target, chunks, skipped, lambda: self._after.run(finish))

    def close(self) -> None:
        """Waits for what the device still has to copy, for a while. No load may go on."""
        self._after.close()
        self._pool = None

    def _call(self, generation: int | None, operation: str, *payloads: Any) -> Any:
        limits: dict[str, Any] = {"timeout": self._timeout}
        if generation is not None:
            limits["generation"] = generation
        return self._client.call(operation, *payloads, **limits)

    def _view(self, pool: SharedPool, slot: Slot) -> torch.Tensor:
        """A slot as `[planes, layers, tokens, hidden]`."""
        shape = (self._rows.plane_count, self._rows.layer_count, self._chunk_size, self._rows.hidden)
        return pool.view(slot, self._rows.dtype, shape)

    def _slots_of(self, slots: torch.Tensor, chunks: Sequence[int], count: int) -> torch.Tensor:
        import torch

        pages = slots.view(-1, self._chunk_size)
        if len(chunks) != count or any(not 0 <= chunk < len(pages) for chunk in chunks):
            raise ValueError(f"slots for the chunks {list(chunks)}; the range has {len(pages)}")
        return self._rows.checked(pages[torch.tensor(list(chunks), device=pages.device)].reshape(-1))


class LayerLoad:
    """Chunks that are copied layer by layer; they stay readable until the last one."""

    def __init__(
        self,
        rows: LayerRows,
        slots: torch.Tensor,
        chunks: Sequence[torch.Tensor],
        skipped: int,
        finish: Callable[[], object],
    ) -> None:
        self._rows = rows
        self._slots = slots
        self._chunks = list(chunks)
        self._skipped = skipped
        self._finish = finish
        self.request_id = ""
        self._next = 0

    @property
    def is_finished(self) -> bool:
        """Whether all layers were copied, or the load was given up."""
        return self._next >= self._rows.layer_count

    def advance(self, layer: int) -> None:
        """Copies all layers up to `layer` that were not copied yet."""
        while self._next <= min(layer, self._rows.layer_count - 1):
            self._rows.write(self._next, self._slots, self._chunks, self._skipped)
            self._next += 1
            if self.is_finished:
                self._end()

    def abandon(self) -> None:
        """Copies no further layer."""
        if not self.is_finished:
            self._next = self._rows.layer_count
            self._end()

    def _end(self) -> None:
        self._chunks = []
        try:
            self._finish()
        except Exception as error:
            logger.debug("chunks were not given back: %s", error)
