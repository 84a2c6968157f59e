# lmcache · SPDX-License-Identifier: Apache-2.0
"""What only the server knows: its chunk size, and what it can do beyond the protocol."""

from __future__ import annotations

from lmcache.wire.client import WireClient


CAPABILITY_SECONDS = 10.0
"""How long a server that has told its chunk size may take for this."""


def ask_chunk_size(clients: list[WireClient], block_size: int, timeout: float) -> int:
    """The chunk size of all servers, in tokens.

    Raises `ConnectionError` when one does not answer, `ValueError` when sizes differ or blocks do not fit.
    """
    futures = [client.submit("get_chunk_size", timeout=timeout) for client in clients]
    sizes = []
    for client, future in zip(clients, futures, strict=True):
        try:
            sizes.append(int(future.result(timeout + 1)))
        except Exception as error:
            raise ConnectionError(
                f"cache server {client.url} did not tell its chunk size ({error}); is it running, and is its address"
                " in lmcache.mp.host and lmcache.mp.port?"
            ) from error
    if len(set(sizes)) != 1:
        raise ValueError(f"the servers have different chunk sizes: {sizes}")
    size = sizes[0]
    if size < 1 or size % block_size:
        raise ValueError(
            f"the server's chunk size {size} is not a multiple of the engine's block size {block_size}; start the"
            " server with another --chunk-size, or the engine with another --block-size"
        )
    return size


def ask_capabilities(clients: list[WireClient], timeout: float) -> frozenset[str]:
    """What all servers can do; nothing for one that does not say, as those of LMCache before 0.5.5."""
    timeout = min(timeout, CAPABILITY_SECONDS)
    futures = [client.submit("get_experimental", timeout=timeout) for client in clients]
    known: list[set[str]] = []
    for future in futures:
        try:
            known.append(set(future.result(timeout + 1) or ()))
        except Exception:
            known.append(set())
    return frozenset(set.intersection(*known)) if known else frozenset()
