# lmcache · SPDX-License-Identifier: Apache-2.0
"""Writes a wheel: the same bytes for the same files."""

from __future__ import annotations

import base64
import hashlib
import os
import pathlib
import time
import zipfile
from collections.abc import Mapping

from packing.metadata import Project

_EARLIEST = 315_532_800  # 1980, where zip files begin.


def write_wheel(
    project: Project, files: Mapping[str, pathlib.Path], platform: str, folder: pathlib.Path
) -> pathlib.Path:
    """Packs `files`, by their place in the archive, for one platform and every Python 3. Returns the wheel."""
    tag = f"py3-none-{platform}"
    information = f"{project.stem}.dist-info"
    contents: list[tuple[str, bytes, int]] = [
        (place, path.read_bytes(), 0o755 if os.access(path, os.X_OK) else 0o644) for place, path in files.items()
    ]
    wheel = f"Wheel-Version: 1.0\nGenerator: lmcache build-wheel\nRoot-Is-Purelib: false\nTag: {tag}\n"
    contents += [
        (f"{information}/METADATA", project.metadata.encode(), 0o644),
        (f"{information}/WHEEL", wheel.encode(), 0o644),
        (f"{information}/entry_points.txt", project.entry_points.encode(), 0o644),
        (f"{information}/top_level.txt", b"lmcache\n", 0o644),
    ]
    record = f"{information}/RECORD"
    lines = [f"{place},sha256={_digest(data)},{len(data)}" for place, data, _ in contents]
    contents.append((record, "\n".join([*lines, f"{record},,", ""]).encode(), 0o644))
    path = folder / f"{project.stem}-{tag}.whl"
    moment = time.gmtime(max(_EARLIEST, int(os.environ.get("SOURCE_DATE_EPOCH", _EARLIEST))))[:6]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for place, data, mode in contents:
            entry = zipfile.ZipInfo(place, moment)
            entry.external_attr = (0o100000 | mode) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    return path


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
