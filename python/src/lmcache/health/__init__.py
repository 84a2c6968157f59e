# lmcache · SPDX-License-Identifier: Apache-2.0
"""Whether a server can be relied on."""
