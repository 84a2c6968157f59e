# lmcache · SPDX-License-Identifier: Apache-2.0
"""Runs at the start of every process of an engine: what SGLang imports and does not use here is stood in for."""

from lmcache_peers.sglang.absent import ENGINE_NAMES, NAMES, append_finder

append_finder((*NAMES, *ENGINE_NAMES))
