# lmcache · SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest

PROGRAM = '#!/bin/sh\nfor argument in "$@"; do echo "$argument"; done\nexit 7\n'


def run(module: str, *arguments: str, program: pathlib.Path | str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": "src", "LMCACHE_PROGRAM": str(program)}
    return subprocess.run(
        [sys.executable, "-m", module, *arguments], env=environment, capture_output=True, text=True, timeout=30
    )


@pytest.mark.parametrize(
    ("module", "seen"),
    [
        ("lmcache.cli.main", ["server", "--port", "1", "a b"]),
        ("lmcache.v1.multiprocess.http_server", ["server", "server", "--port", "1", "a b"]),
    ],
)
def test_the_native_program_gets_the_arguments_and_gives_its_status(
    tmp_path: pathlib.Path, module: str, seen: list[str]
) -> None:
    program = tmp_path / "program"
    program.write_text(PROGRAM, encoding="utf-8")
    program.chmod(0o755)
    done = run(module, "server", "--port", "1", "a b", program=program)
    assert (done.returncode, done.stdout.splitlines()) == (7, seen)


def test_a_missing_program_is_one_line(tmp_path: pathlib.Path) -> None:
    done = run("lmcache.cli.main", program=tmp_path / "missing")
    assert done.returncode == 127
    assert done.stderr.count("\n") == 1 and "LMCACHE_PROGRAM" in done.stderr


def test_a_program_that_cannot_run_is_one_line(tmp_path: pathlib.Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(b"\x7fELF")
    program.chmod(0o755)
    done = run("lmcache.cli.main", program=program)
    assert done.returncode == 126 and done.stderr.count("\n") == 1
