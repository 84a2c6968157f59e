# lmcache · SPDX-License-Identifier: Apache-2.0
"""Module paths that engines import by name."""
