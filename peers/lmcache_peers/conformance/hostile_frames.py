# lmcache · SPDX-License-Identifier: Apache-2.0
"""Messages of the wrong shape, unknown operations, and connections that are no peers at all."""

from __future__ import annotations

import socket

from lmcache_peers import settings
from lmcache_peers.conformance.bench import Bench
from lmcache_peers.conformance.damage import HOSTILE_FRAMES
from lmcache_peers.conformance.expected import is_refusal
from lmcache_peers.report import expect, expect_equal
from lmcache_peers.wire import encode, operation_frame

# No answer is due: there is nobody to tell, or the stream they speak of does not exist.
UNANSWERED: dict[str, list[bytes]] = {
    "one frame": [encode(1)],
    "one empty frame": [b""],
    "one long frame": [b"x" * 1_000_000],
    "two empty frames": [b"", b""],
    "stream control without a word": [encode(7), b""],
    "ack of an unknown stream": [encode(7), b"", b"ack"],
    "cancel of an unknown stream": [encode(7), b"", b"cancel"],
    "stream control that is neither": [encode(7), b"", b"\xff" * 100],
    "stream control with frames to spare": [encode(7), b"", b"ack", b"ack", b"ack"],
}

UNKNOWN_OPERATIONS: dict[str, bytes] = {
    "retired number": encode(11),
    "number zero": encode(0),
    "number 34": encode(34),
    "number 2^64-1": encode(2**64 - 1),
    "negative number": encode(-1),
    "nil": encode(None),
    "true": encode(True),
    "float": encode(21.0),
    "bytes": encode(b"ping"),
    "unknown name": encode("no_such_operation"),
    "empty name": encode(""),
    "long name": encode("x" * 1_000_000),
    "name of another case": encode("PING"),
    "array": encode(["ping"]),
    "two values": encode("ping") + encode("ping"),
    **{name: frame for name, frame in HOSTILE_FRAMES.items() if frame},
}

NOT_PEERS: dict[str, bytes] = {
    "nothing": b"",
    "HTTP": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "zeros": bytes(10_000),
    "noise": bytes((index * 57 + 11) % 256 for index in range(10_000)),
    "half a greeting": b"\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f\x03",
    "greeting of another mechanism": b"\xff" + bytes(8) + b"\x7f\x03\x00CURVE" + bytes(15) + b"\x00" + bytes(31),
    "greeting and a frame of 2^63 bytes": (
        b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(16) + b"\x00" + bytes(31) + b"\x02\x7f" + b"\xff" * 7
    ),
}


def malformed_multiparts(bench: Bench) -> str:
    """Messages without an operation are dropped."""
    for name, frames in UNANSWERED.items():
        with bench.connect() as client:
            client.send(frames)
            expect(client.answers(), f"{name}: its own connection is not answered any more")
        bench.expect_alive(name)
    return f"{len(UNANSWERED)} kinds dropped"


def many_frames(bench: Bench) -> str:
    """A message of very many frames is one with a wrong number of payloads; beyond reason it may be dropped."""
    reply = bench.client.call_raw("lookup", [b"\xc0"] * 100)
    expect(reply.value_frame is None and reply.refusal is None, f"answered {reply}")
    bench.client.submit("lookup", [b"\xc0"] * 20_000)
    bench.expect_alive("20,000 frames")
    return "100 frames answered, 20,000 survived"


def unknown_operations(bench: Bench) -> str:
    """An operation that does not exist is refused by name at once."""
    for name, frame in UNKNOWN_OPERATIONS.items():
        for payloads in ([], [encode(1)], [b"\xc1", b""]):
            reply = bench.client.call_raw(frame, payloads)
            expect(is_refusal(reply), f"{name} with {len(payloads)} payloads: answered {reply}")
    bench.expect_alive("unknown operations")
    return f"{len(UNKNOWN_OPERATIONS)} spellings refused"


def any_uid(bench: Bench) -> str:
    """A uid is bytes to echo, whatever they are."""
    uids = [b"", b"\xc1", b"not a number", bytes(70_000), encode(2**64 - 1), *HOSTILE_FRAMES.values()]
    for uid in uids:
        reply = bench.client.call_raw("noop", [], uid=uid)
        expect_equal("answer", reply.value, "OK")
    return f"{len(uids)} uids echoed"


def both_spellings(bench: Bench) -> str:
    """Operations go by number and by name, and are echoed as they came."""
    for frame in (
        encode("get_chunk_size"),
        operation_frame("get_chunk_size"),
        b"\xcd\x00\x15",
        b"\xd9\x0eget_chunk_size",
    ):
        reply = bench.client.call_raw(frame, [])
        expect_equal("echoed operation", reply.operation, frame)
        expect(isinstance(reply.value, int), f"answered {reply}")
    return "number, name, and longer encodings of both"


def strangers(bench: Bench) -> str:
    """Bytes that are no ZeroMQ, on connections that close or stay."""
    kept = []
    for data in NOT_PEERS.values():
        for stays in (False, True):
            connection = socket.create_connection((settings.LOCAL, bench.port), timeout=3)
            try:
                connection.sendall(data)
            except OSError:
                pass
            kept.append(connection) if stays else connection.close()
    bench.expect_alive("strangers")
    for connection in kept:
        connection.close()
    return f"{len(NOT_PEERS)} kinds, closed and kept open"


def deaf_client(bench: Bench) -> str:
    """A client that sends without ever reading blocks nobody else."""
    with bench.connect() as deaf:
        frames = [encode(0), encode("get_experimental")]
        for _ in range(30_000):
            deaf.send(frames)
        bench.expect_alive("30,000 requests of a client that does not read")
    bench.expect_alive("its end")
    return "30,000 unread answers"


SCENARIOS = [
    malformed_multiparts,
    many_frames,
    unknown_operations,
    any_uid,
    both_spellings,
    strangers,
    deaf_client,
]
