# lmcache · SPDX-License-Identifier: Apache-2.0
"""Types that engines import from here; they are defined in `lmcache.wire.types`."""

from lmcache.wire.types import BlockAllocationRecord, CacheKey, EngineGroupInfo

RequestAllocationRecord = BlockAllocationRecord
IPCCacheServerKey = CacheKey
IPCCacheEngineKey = CacheKey

__all__ = [
    "BlockAllocationRecord",
    "EngineGroupInfo",
    "IPCCacheEngineKey",
    "IPCCacheServerKey",
    "RequestAllocationRecord",
]
