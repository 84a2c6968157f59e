# lmcache · SPDX-License-Identifier: Apache-2.0
"""The `--l2-adapter` objects of a directory and of the services that `with-stores` starts."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable
from typing import Any

from lmcache_peers import stores
from lmcache_peers.report import expect


def directory(folder: pathlib.Path) -> dict[str, Any]:
    return {"type": "fs", "base_path": str(folder / "tier")}


def redis(_: pathlib.Path) -> dict[str, Any]:
    host, port = _given("LMCACHE_TEST_REDIS").rsplit(":", 1)
    return {"type": "resp", "host": host, "port": int(port)}


def bucket(_: pathlib.Path) -> dict[str, Any]:
    return {
        "type": "s3",
        "s3_endpoint": _given("LMCACHE_TEST_S3"),
        "s3_bucket": _given("LMCACHE_TEST_S3_BUCKET"),
        "s3_region": stores.REGION,
        "s3_path_style": True,
        "s3_num_io_threads": 8,
        "aws_access_key_id": _given("LMCACHE_TEST_S3_KEY"),
        "aws_secret_access_key": _given("LMCACHE_TEST_S3_SECRET"),
    }


def secure_bucket(folder: pathlib.Path) -> dict[str, Any]:
    """The same over TLS, with the bucket before the host."""
    options = bucket(folder) | {
        "s3_endpoint": _given("LMCACHE_TEST_S3_TLS"), "tls_ca_file": _given("LMCACHE_TEST_S3_CA"),
        "s3_prefix": "tls",
    }
    return {name: value for name, value in options.items() if name != "s3_path_style"}


def _given(variable: str) -> str:
    value = os.environ.get(variable, "")
    expect(bool(value), f"{variable} is not set: no {stores.ENVIRONMENT[variable]}; see with-stores")
    return value


TIERS: dict[str, Callable[[pathlib.Path], dict[str, Any]]] = {
    "fs": directory, "resp": redis, "s3": bucket, "s3-tls": secure_bucket,
}
"""Makes each adapter's object; the folder is where a directory's files go."""
