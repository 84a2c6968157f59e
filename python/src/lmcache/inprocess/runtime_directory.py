# lmcache · SPDX-License-Identifier: Apache-2.0
"""Where the sockets of in-process caches are, so that an engine's processes find them without being told."""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import stat

DIRECTORY_VARIABLE = "LMCACHE_RUNTIME_DIR"
MOST_BYTES = 100
"""What a path may have; the system's limit for sockets is 107."""


def runtime_directory() -> str:
    """A directory that only this user can enter, made when it is not there. Raises `OSError` when it is not private."""
    path = os.environ.get(DIRECTORY_VARIABLE) or f"/tmp/lmcache-{os.getuid()}"
    with contextlib.suppress(FileExistsError):
        os.makedirs(path, mode=0o700)
    found = os.lstat(path)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise PermissionError(
            f"{path} must be a directory of user {os.getuid()} with mode 0700; remove it, or name another one in"
            f" {DIRECTORY_VARIABLE}"
        )
    return path


def socket_path(engine_id: str, rank: int) -> str:
    """The socket of one worker of an engine. Raises `OSError`, also for a path that is too long."""
    digest = hashlib.sha256(engine_id.encode()).hexdigest()[:16]
    path = os.path.join(runtime_directory(), f"{digest}-{rank}.sock")
    if len(os.fsencode(path)) > MOST_BYTES:
        raise OSError(f"{path} is longer than {MOST_BYTES} bytes; name a shorter directory in {DIRECTORY_VARIABLE}")
    return path


def claim(path: str) -> None:
    """Removes what a dead engine left at `path`, and beside it. Raises `FileExistsError` when somebody listens there."""
    if not _remove_dead(path):
        raise FileExistsError(f"another engine with this engine id serves {path}")
    directory = os.path.dirname(path)
    for name in os.listdir(directory):
        if name.endswith(".sock"):
            with contextlib.suppress(OSError):
                _remove_dead(os.path.join(directory, name))


def _remove_dead(path: str) -> bool:
    """Whether nothing is left at `path`: there was nothing, or a socket without a listener."""
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise FileExistsError(f"{path} is no socket")
    except FileNotFoundError:
        return True
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(path)
            return False
        except ConnectionRefusedError:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            return True
        except FileNotFoundError:
            return True
        except TimeoutError:
            return False
