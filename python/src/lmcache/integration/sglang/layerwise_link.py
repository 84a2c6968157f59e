# lmcache · SPDX-License-Identifier: Apache-2.0
"""The cache behind the layerwise connector: in this process, or a server's."""

from __future__ import annotations

import contextlib
import os
import random
from typing import Any, Protocol

from lmcache.integration.sglang.layer_rows import LayerRows
from lmcache.integration.sglang.layerwise_cache import LayerwiseCache
from lmcache.integration.sglang.mp_settings import MPSettings
from lmcache.integration.sglang.server_link import ServerLink
from lmcache.integration.sglang.utils import lmcache_get_config
from lmcache.wire.types import CacheKey

IN_PROCESS_SECONDS = 10.0
"""How long a request to the cache in this process may take."""


class LayerwiseLink(Protocol):
    """What the connector needs to know of its cache. `rank` and `world_size` are those in its keys."""

    cache: LayerwiseCache
    chunk_size: int
    model_name: str
    world_size: int
    rank: int

    @property
    def is_healthy(self) -> bool:
        """Whether the cache can be relied on."""

    def look_up(self, key: CacheKey) -> int:
        """The tokens that are there, and stay until the request ends. Waits; raises what went wrong."""

    def tell(self, operation: str, *payloads: Any) -> None:
        """Sends what needs no answer."""

    def clear(self) -> bool:
        """Empties the cache of what nobody uses."""

    def close(self) -> None:
        """Ends it."""


class InProcessLink:
    """A cache of this rank alone, in this process. Raises `ValueError` naming what is wrong with the configuration."""

    def __init__(self, document: str, model_name: str, rows: LayerRows) -> None:
        from lmcache.native import EmbeddedServer
        from lmcache.transfer.process_pool import ProcessPool

        self.model_name = model_name
        # Ranks have nothing to do with each other: each keeps its own share of every layer.
        self.world_size, self.rank = 1, 0
        self.is_healthy = True
        self._server = EmbeddedServer(document, None)
        self._client = self._server.client()
        try:
            self.chunk_size = int(self._client.call("get_chunk_size", timeout=IN_PROCESS_SECONDS))
            self.cache = LayerwiseCache(
                self._client,
                random.SystemRandom().getrandbits(63),
                self.chunk_size,
                rows,
                model_name,
                1,
                IN_PROCESS_SECONDS,
                ProcessPool,
            )
            self.cache.register()
        except BaseException:
            self._server.close()
            raise

    def look_up(self, key: CacheKey) -> int:
        """See `LayerwiseLink`."""
        return ask(self._client, key, self.chunk_size, IN_PROCESS_SECONDS)

    def tell(self, operation: str, *payloads: Any) -> None:
        """See `LayerwiseLink`."""
        if self.is_healthy:
            with contextlib.suppress(Exception):
                self._client.submit(operation, *payloads, timeout=IN_PROCESS_SECONDS)

    def clear(self) -> bool:
        """See `LayerwiseLink`."""
        try:
            self._client.call("clear", False, timeout=IN_PROCESS_SECONDS)
        except Exception:
            return False
        return True

    def close(self) -> None:
        """See `LayerwiseLink`."""
        if self.is_healthy:
            self.is_healthy = False
            self.cache.close()
            self.cache.unregister()
            self._server.close()


class ServerLayerwiseLink:
    """A server's cache, shared with whoever else uses the server. Raises as `ServerLink` does."""

    def __init__(self, settings: MPSettings, model_name: str, world_size: int, rank: int, rows: LayerRows) -> None:
        self.model_name = model_name
        self.world_size, self.rank = world_size, rank
        made: list[LayerwiseCache] = []

        def make(client: Any, instance_id: int, chunk_size: int) -> Any:
            made.append(
                LayerwiseCache(client, instance_id, chunk_size, rows, model_name, world_size, settings.transfer_timeout)
            )
            return made[0]

        self._link = ServerLink(settings, 1, make)
        self.cache = made[0]
        self.chunk_size = self._link.chunk_size

    @property
    def is_healthy(self) -> bool:
        """See `LayerwiseLink`."""
        return self._link.is_healthy

    def look_up(self, key: CacheKey) -> int:
        """See `LayerwiseLink`."""
        return ask(self._link.client, key, self.chunk_size, self._link.settings.transfer_timeout)

    def tell(self, operation: str, *payloads: Any) -> None:
        """See `LayerwiseLink`."""
        self._link.tell(operation, *payloads)

    def clear(self) -> bool:
        """See `LayerwiseLink`."""
        return self._link.clear()

    def close(self) -> None:
        """See `LayerwiseLink`."""
        self._link.close()


def ask(client: Any, key: CacheKey, chunk_size: int, seconds: float) -> int:
    """The tokens of a lookup. Waits up to `seconds` for the request and as long again for the result."""
    client.call("lookup", key, key.world_size, timeout=seconds)
    chunks = client.call("wait_prefetch_status", key.request_id, seconds, timeout=seconds + 1.0)
    return max(0, int(chunks or 0)) * chunk_size


def open_link(config_file: str, model_name: str, tp_size: int, rank: int, rows: LayerRows) -> LayerwiseLink:
    """The cache that the configuration asks for: a server with `mp_host`, else one in this process."""
    if lmcache_get_config(config_file).mp_host:
        return ServerLayerwiseLink(MPSettings.load(config_file), model_name, tp_size, rank, rows)
    return InProcessLink(_document(config_file), model_name, rows)


def _document(config_file: str) -> str:
    """What the library reads: the file, or LMCACHE_* variables where there is none."""
    from lmcache.native import configuration_document

    file = config_file or os.environ.get("LMCACHE_CONFIG_FILE")
    return configuration_document(file=file) if file else configuration_document(environment=os.environ)
