# lmcache · SPDX-License-Identifier: Apache-2.0
"""Wheels hold what they say, and native files that need too much are refused."""

from __future__ import annotations

import base64
import hashlib
import pathlib
import tempfile
import unittest
import zipfile

from packing.archive import write_wheel
from packing.binaries import foreign_libraries, needed_libraries, newest_glibc
from packing.metadata import read_project

DYNAMIC = """
 0x0000000000000001 (NEEDED)             Shared library: [libm.so.6]
 0x0000000000000001 (NEEDED)             Shared library: [libzmq.so.5]
 0x0000000000000001 (NEEDED)             Shared library: [ld-linux-x86-64.so.2]
 0x000000000000001d (RUNPATH)            Library runpath: [$ORIGIN]
"""
PYPROJECT = """
[project]
name = "some-name"
version = "1.2"
description = "A summary"
readme = "README.md"
requires-python = ">=3.10"
license = { text = "Apache-2.0" }
dependencies = ["one>=1", "two"]
[project.scripts]
command = "package.module:main"
"""


class BinaryTests(unittest.TestCase):
    def test_only_the_c_librarys_family_may_be_needed(self) -> None:
        needed = needed_libraries(DYNAMIC.splitlines())
        self.assertEqual(needed, ["libm.so.6", "libzmq.so.5", "ld-linux-x86-64.so.2"])
        self.assertEqual(foreign_libraries(needed), ["libzmq.so.5"])
        self.assertEqual(foreign_libraries(["libswiftCore.so", "libstdc++.so.6"]), ["libswiftCore.so"])

    def test_the_newest_symbol_version_counts(self) -> None:
        self.assertEqual(newest_glibc("Name: GLIBC_2.4 Flags\nName: GLIBC_2.34\nGLIBC_2.9 GLIBCXX_3.4.30"), (2, 34))
        self.assertEqual(newest_glibc("nothing"), (2, 17))


class ArchiveTests(unittest.TestCase):
    def test_every_file_is_recorded_and_modes_survive(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            (folder / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
            (folder / "README.md").write_text("# Read me\n", encoding="utf-8")
            plain, program = folder / "plain.py", folder / "program"
            plain.write_bytes(b"x = 1\n")
            program.write_bytes(b"\x7fELF")
            program.chmod(0o755)
            project = read_project(folder)
            files = {"package/plain.py": plain, "package/bin/program": program}
            wheel = write_wheel(project, files, "manylinux_2_35_x86_64", folder)
            self.assertEqual(wheel.name, "some_name-1.2-py3-none-manylinux_2_35_x86_64.whl")
            first = wheel.read_bytes()
            self.assertEqual(write_wheel(project, files, "manylinux_2_35_x86_64", folder).read_bytes(), first)
            self.check_contents(wheel)

    def check_contents(self, wheel: pathlib.Path) -> None:
        with zipfile.ZipFile(wheel) as archive:
            modes = {entry.filename: entry.external_attr >> 16 & 0o777 for entry in archive.infolist()}
            self.assertEqual(modes["package/bin/program"], 0o755)
            self.assertEqual(modes["package/plain.py"], 0o644)
            record = archive.read("some_name-1.2.dist-info/RECORD").decode().splitlines()
            self.assertEqual({line.split(",")[0] for line in record}, set(archive.namelist()))
            for line in record[:-1]:
                place, digest, length = line.split(",")
                data = archive.read(place)
                expected = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
                self.assertEqual((digest, int(length)), (f"sha256={expected}", len(data)))
            metadata = archive.read("some_name-1.2.dist-info/METADATA").decode()
            self.assertIn("Requires-Dist: one>=1\nRequires-Dist: two\n", metadata)
            self.assertTrue(metadata.endswith("# Read me\n"))
            points = archive.read("some_name-1.2.dist-info/entry_points.txt").decode()
            self.assertEqual(points, "[console_scripts]\ncommand = package.module:main\n")


if __name__ == "__main__":
    unittest.main()
