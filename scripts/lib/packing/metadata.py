# lmcache · SPDX-License-Identifier: Apache-2.0
"""A project's metadata as wheels hold it."""

from __future__ import annotations

import dataclasses
import pathlib
import tomllib


@dataclasses.dataclass(frozen=True)
class Project:
    """What pyproject.toml says of the distribution."""

    name: str
    version: str
    metadata: str
    entry_points: str

    @property
    def stem(self) -> str:
        """Name and version as file names have them."""
        return f"{self.name.replace('-', '_')}-{self.version}"


def read_project(folder: pathlib.Path) -> Project:
    """Reads `pyproject.toml` and the description beside it."""
    table = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [
        "Metadata-Version: 2.1",
        f"Name: {table['name']}",
        f"Version: {table['version']}",
        f"Summary: {table['description']}",
        f"License: {table['license']['text']}",
        f"Requires-Python: {table['requires-python']}",
        *(f"Requires-Dist: {one}" for one in table["dependencies"]),
        "Description-Content-Type: text/markdown",
        "",
        (folder / table["readme"]).read_text(encoding="utf-8"),
    ]
    scripts = [f"{name} = {target}" for name, target in sorted(table.get("scripts", {}).items())]
    entry_points = "\n".join(["[console_scripts]", *scripts, ""])
    return Project(table["name"], table["version"], "\n".join(lines), entry_points)
