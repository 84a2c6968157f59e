# lmcache · SPDX-License-Identifier: Apache-2.0
"""A server with storage behind its pool."""
