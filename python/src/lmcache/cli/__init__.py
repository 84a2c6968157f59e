# lmcache · SPDX-License-Identifier: Apache-2.0
"""The `lmcache` command, which is the native program."""
