# lmcache · SPDX-License-Identifier: Apache-2.0
"""The protocol that the server speaks."""
