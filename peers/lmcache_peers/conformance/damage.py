# lmcache · SPDX-License-Identifier: Apache-2.0
"""Ways to spoil a payload."""

from __future__ import annotations

from collections.abc import Iterator

from lmcache_peers.wire import encode

NESTED_DEPTH = 100_000

# Each is a whole frame that is no value of any type that a request has, or only the head of one.
HOSTILE_FRAMES: dict[str, bytes] = {
    "empty frame": b"",
    "reserved byte": b"\xc1",
    "array of a billion": b"\xdd\x3b\x9a\xca\x00",
    "map of a billion": b"\xdf\x3b\x9a\xca\x00",
    "array of 4 billion": b"\xdd\xff\xff\xff\xff",
    "bytes of 4 GiB": b"\xc6\xff\xff\xff\xff",
    "text of 4 GiB": b"\xdb\xff\xff\xff\xff",
    "extension of 4 GiB": b"\xc9\xff\xff\xff\xff\x01",
    "deep arrays": b"\x91" * NESTED_DEPTH + b"\xc0",
    "deep maps": b"\x81\xa1x" * NESTED_DEPTH + b"\xc0",
    "text that is not UTF-8": b"\xa2\xc3\x28",
    "two values": b"\xc0\xc0",
    "timestamp extension": b"\xd6\xff\x00\x00\x00\x00",
    "map with a nil key": b"\x81\xc0\xc0",
    "array of arrays of text": encode([["x"], [{"y": b"z"}]]),
    "noise": bytes((index * 73 + 41) % 256 for index in range(999)),
}


def spoiled(payloads: list[bytes]) -> Iterator[tuple[str, list[bytes]]]:
    """All single changes to a valid list of payloads that make the request invalid."""
    if payloads:
        yield "no payloads", []
        yield "one payload missing", payloads[:-1]
    yield "one payload too many", [*payloads, b"\xc0"]
    yield "a hundred payloads", [*payloads, *[b"\xc0"] * 100]
    for index, payload in enumerate(payloads):
        for name, frame in HOSTILE_FRAMES.items():
            yield f"payload {index}: {name}", [*payloads[:index], frame, *payloads[index + 1 :]]
        if len(payload) > 1:
            shorter = [*payloads[:index], payload[: len(payload) // 2], *payloads[index + 1 :]]
            yield f"payload {index}: cut in half", shorter
        yield f"payload {index}: trailing byte", [*payloads[:index], payload + b"\xc0", *payloads[index + 1 :]]
