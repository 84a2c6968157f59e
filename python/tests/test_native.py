# lmcache · SPDX-License-Identifier: Apache-2.0
"""Against the real library; a missing one is a failure wherever a skip would go unnoticed."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest
from native_memory import ProcessMemory, key, needs_library, register

from lmcache.native import (
    ConfigurationError,
    EmbeddedServer,
    LibraryNotFoundError,
    NativeError,
    configuration_document,
    is_available,
    library,
    library_path,
    resolve_configuration,
)
from lmcache.wire.client import WireClient
from lmcache.wire.errors import ConnectionLostError, RefusedError, RequestTimeoutError

needs_library()

DOCUMENT = '{"chunk_size": 8, "max_local_cpu_size": 0.0625}'


@pytest.fixture
def server(tmp_path: pathlib.Path) -> Iterator[EmbeddedServer]:
    with EmbeddedServer(DOCUMENT, str(tmp_path / "socket")) as server:
        yield server


def test_the_library_is_found() -> None:
    assert is_available() and os.path.isfile(library_path() or "")


def test_a_worker_stores_and_loads_and_the_scheduler_asks_over_the_socket(server: EmbeddedServer) -> None:
    memory = ProcessMemory()
    worker = server.client(default_timeout=10)
    register(worker, memory)
    assert worker.call("store", key("a"), 7, [list(range(1, 9))], b"event")[1] is True
    assert server.url is not None
    scheduler = WireClient(server.url, default_timeout=10)
    try:
        assert scheduler.call("get_chunk_size") == 8
        scheduler.call("lookup", key("b", None), 1)
        assert scheduler.call("wait_prefetch_status", "b", 5.0) == 4
        assert memory.blocks(1) != memory.blocks(9)
        assert worker.call("retrieve", key("b"), 7, [list(range(9, 17))], b"event", 0)[1] is True
        assert memory.blocks(1) == memory.blocks(9)
        scheduler.call("end_session", "b")
    finally:
        scheduler.close()
    usage = server.usage()
    assert usage["object_count"] == 4 and usage["leased_object_count"] == 0 and usage["ticket_count"] == 0


def test_a_socket_cannot_name_memory_of_the_process(server: EmbeddedServer) -> None:
    assert server.url is not None
    outsider = WireClient(server.url, default_timeout=10)
    try:
        with pytest.raises(RefusedError, match="memory of this process"):
            register(outsider, ProcessMemory())
    finally:
        outsider.close()


def test_futures_end_by_their_deadline_and_by_close(server: EmbeddedServer) -> None:
    client = server.client()
    with pytest.raises(RefusedError):
        client.call("no_such_operation")
    # A reply that never comes: one that somebody else takes.
    ticket_of_nobody = threading.Event()
    original = server._library.lmcache_submit

    class Swallowing:
        def __getattr__(self, name: str) -> object:
            return getattr(original_library, name)

        def lmcache_submit(self, *_: object) -> int:
            ticket_of_nobody.set()
            return 999_999

    original_library = server._library
    server._library = Swallowing()
    started = time.monotonic()
    with pytest.raises(RequestTimeoutError):
        client.call("get_chunk_size", timeout=0.2)
    assert time.monotonic() - started < 2
    pending = client.submit("get_chunk_size", timeout=60)
    server._library = original_library
    assert original is not None and not pending.query()
    lost: list[bool] = []
    client.on_connection_lost(lambda: lost.append(True))
    server.close()
    with pytest.raises(ConnectionLostError):
        pending.result(5)
    with pytest.raises(ConnectionLostError):
        client.call("get_chunk_size")
    assert lost == [True] and not client.is_connected
    server.close()


def test_many_threads_call_at_once(server: EmbeddedServer) -> None:
    # What one thread still writes, the others would not find.
    memory = ProcessMemory()
    register(server.client(), memory, instance=99)
    assert server.client().call("store", key("first"), 99, [list(range(1, 9))], b"event", timeout=20)[1] is True
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            memory = ProcessMemory()
            client = server.client(default_timeout=20)
            register(client, memory, instance=number)
            for turn in range(20):
                request = f"{number}-{turn}"
                store = client.submit("store", key(request), number, [list(range(1, 9))], b"event")
                assert client.call("get_chunk_size") == 8
                store.result()
                client.call("lookup", key(request, None), 1)
                assert client.call("wait_prefetch_status", request, 5.0) == 4
                assert client.call("retrieve", key(request), number, [list(range(9, 17))], b"event", 0)[1] is True
                assert memory.blocks(1) == memory.blocks(9)
                client.call("end_session", request)
            client.call("unregister_kv_cache", number)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures and not any(thread.is_alive() for thread in threads)


@pytest.mark.parametrize("destroys", [True, False])
def test_a_forked_child_neither_hangs_nor_ends_the_cache(server: EmbeddedServer, destroys: bool) -> None:
    client = server.client(default_timeout=10)
    assert client.call("get_chunk_size") == 8
    child = os.fork()
    if child == 0:
        try:
            closed = server.is_closed
            if destroys:
                server.close()
            with EmbeddedServer(DOCUMENT) as own:
                good = closed and own.client().call("get_chunk_size", timeout=5) == 8
            os._exit(0 if good else 1)
        finally:
            os._exit(2)
    deadline = time.monotonic() + 20
    while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert ended == (child, 0)
    assert client.call("get_chunk_size") == 8
    assert server.socket_path is not None and os.path.exists(server.socket_path)


def test_a_document_of_layers_is_resolved(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "lmcache.yaml"
    file.write_text("chunk_size: 16\nmax_local_cpu_size: 2\n", encoding="utf-8")
    document = configuration_document(
        file, {"LMCACHE_CHUNK_SIZE": "32", "PATH": "/"}, {"lmcache.save_decode_cache": True, "lmcache.mp.port": 1, "x": 2}
    )
    resolved = resolve_configuration(document)
    assert (resolved["chunk_size"], resolved["max_local_cpu_size"], resolved["save_decode_cache"]) == (32, 2.0, True)
    assert resolved["notices"] == []


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ("chunk_sise: 1", "did you mean 'chunk_size'"),
        ("chunk_size: x", "accepted is a whole number"),
        ("a: [", "line 1"),
        ("enable_blending: true", "not supported: CacheBlend"),
    ],
)
def test_a_bad_document_is_one_line(document: str, text: str) -> None:
    for attempt in (resolve_configuration, EmbeddedServer):
        with pytest.raises(ConfigurationError) as caught:
            attempt(document)
        assert text in str(caught.value) and "\n" not in str(caught.value)


def test_a_file_or_socket_that_cannot_be_had_is_one_line(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        configuration_document(tmp_path / "missing.yaml")
    with pytest.raises(NativeError, match="/no/such/directory/socket") as caught:
        EmbeddedServer(DOCUMENT, "/no/such/directory/socket")
    assert "\n" not in str(caught.value)


def test_a_library_of_another_abi_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    monkeypatch.setattr(library, "_loaded", None)
    monkeypatch.setattr(library, "ABI_VERSION", 2)
    with pytest.raises(LibraryNotFoundError, match="has ABI version 1, this package speaks 2"):
        library.load()
    assert not is_available()
    monkeypatch.setenv("LMCACHE_LIBRARY", str(tmp_path / "missing.so"))
    with pytest.raises(LibraryNotFoundError, match="LMCACHE_LIBRARY"):
        library.load()
    broken = tmp_path / "broken.so"
    broken.write_bytes(b"no library")
    monkeypatch.setenv("LMCACHE_LIBRARY", str(broken))
    with pytest.raises(LibraryNotFoundError, match="cannot be loaded"):
        library.load()


def test_importing_the_package_loads_no_library() -> None:
    code = "import lmcache.native, lmcache.native.library as l; assert l._loaded is None"
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": "src"})


def test_an_interpreter_that_does_not_close_its_server_ends(tmp_path: pathlib.Path) -> None:
    code = (
        "from lmcache.native import EmbeddedServer\n"
        f"server = EmbeddedServer({DOCUMENT!r}, {str(tmp_path / 's')!r})\n"
        "assert server.client().call('get_chunk_size') == 8\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": "src"}, timeout=30)
    assert not (tmp_path / "s").exists()
