# lmcache · SPDX-License-Identifier: Apache-2.0
"""Several servers, one second tier, random kills: is every byte that comes back one that was stored?"""
