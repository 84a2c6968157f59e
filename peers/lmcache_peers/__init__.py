# lmcache · SPDX-License-Identifier: Apache-2.0
"""Runs real engines and the original's own client programs against a cache server."""
