# lmcache · SPDX-License-Identifier: Apache-2.0
"""Where sockets of in-process caches are."""

from __future__ import annotations

import os
import pathlib
import socket

import pytest

from lmcache.inprocess.runtime_directory import MOST_BYTES, claim, runtime_directory, socket_path


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> pathlib.Path:
    folder = tmp_path / "run"
    monkeypatch.setenv("LMCACHE_RUNTIME_DIR", str(folder))
    return folder


def listening(path: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    return listener


def test_it_is_made_for_this_user_alone(folder: pathlib.Path) -> None:
    assert runtime_directory() == str(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert runtime_directory() == str(folder)


def test_without_a_name_it_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LMCACHE_RUNTIME_DIR", raising=False)
    assert runtime_directory() == f"/tmp/lmcache-{os.getuid()}"


def test_one_that_others_can_enter_is_refused(folder: pathlib.Path, tmp_path: pathlib.Path) -> None:
    folder.mkdir()
    folder.chmod(0o750)
    with pytest.raises(PermissionError, match="mode 0700"):
        runtime_directory()
    folder.rmdir()
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PermissionError, match="mode 0700"):
        runtime_directory()


def test_paths_differ_by_engine_and_rank_and_are_the_same_in_every_process(folder: pathlib.Path) -> None:
    paths = [socket_path(engine, rank) for engine in ("a", "b", "a_dp1") for rank in (0, 1)]
    assert len(set(paths)) == 6 and paths == [socket_path(e, r) for e in ("a", "b", "a_dp1") for r in (0, 1)]
    assert all(len(path) <= MOST_BYTES for path in paths)


def test_a_folder_too_deep_is_refused(folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LMCACHE_RUNTIME_DIR", str(folder / ("x" * 80)))
    with pytest.raises(OSError, match="shorter directory"):
        socket_path("a", 0)


def test_dead_sockets_are_removed_and_live_ones_stay(folder: pathlib.Path) -> None:
    own, dead, live = socket_path("own", 0), socket_path("dead", 0), socket_path("live", 0)
    listening(own).close()
    listening(dead).close()
    listener = listening(live)
    (folder / "note.txt").write_text("not ours")
    claim(own)
    assert sorted(os.listdir(folder)) == sorted([os.path.basename(live), "note.txt"])
    listener.close()


def test_a_live_one_is_not_taken(folder: pathlib.Path) -> None:
    path = socket_path("a", 0)
    listener = listening(path)
    with pytest.raises(FileExistsError, match="another engine with this engine id"):
        claim(path)
    listener.close()


def test_a_file_in_its_place_is_not_removed(folder: pathlib.Path) -> None:
    path = pathlib.Path(socket_path("a", 0))
    path.write_text("precious")
    with pytest.raises(FileExistsError, match="is no socket"):
        claim(str(path))
    assert path.read_text() == "precious"
