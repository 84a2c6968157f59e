# lmcache · SPDX-License-Identifier: Apache-2.0
"""What native files need of the system they run on."""

from __future__ import annotations

import pathlib
import platform
import re
import subprocess
from collections.abc import Iterable, Sequence

# What every system with this C library has; the program brings everything else.
_ALLOWED = re.compile(r"^(libc|libm|libpthread|libdl|librt|libgcc_s|libstdc\+\+|libz|ld-linux-[\w-]+)\.so\.\d+$")
_NEEDED = re.compile(r"\(NEEDED\).*\[(.+)\]")
_VERSION = re.compile(r"\bGLIBC_(\d+)\.(\d+)\b")


class BinaryError(Exception):
    """A native file cannot be packed."""


def needed_libraries(dynamic_section: Iterable[str]) -> list[str]:
    """The shared libraries in the output of `readelf --dynamic`."""
    return [match[1] for line in dynamic_section if (match := _NEEDED.search(line))]


def foreign_libraries(names: Iterable[str]) -> list[str]:
    """Those that a system may lack."""
    return [name for name in names if not _ALLOWED.match(name)]


def newest_glibc(version_section: str) -> tuple[int, int]:
    """The C library that the output of `readelf --version-info` asks for; manylinux starts at 2.17."""
    return max([(2, 17), *((int(major), int(minor)) for major, minor in _VERSION.findall(version_section))])


def platform_tag(files: Sequence[pathlib.Path]) -> str:
    """The wheel's platform; raises `BinaryError` for a file that needs more than the C library's family."""
    versions = [(2, 17)]
    for file in files:
        foreign = foreign_libraries(needed_libraries(_readelf("--dynamic", file).splitlines()))
        if foreign:
            raise BinaryError(f"{file} needs {', '.join(foreign)}, which not every system has")
        versions.append(newest_glibc(_readelf("--version-info", file)))
    major, minor = max(versions)
    return f"manylinux_{major}_{minor}_{platform.machine()}"


def _readelf(option: str, file: pathlib.Path) -> str:
    try:
        done = subprocess.run(["readelf", option, "--wide", str(file)], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise BinaryError(f"{file} cannot be read: {error}") from error
    return done.stdout
