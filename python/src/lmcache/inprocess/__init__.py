# lmcache · SPDX-License-Identifier: Apache-2.0
"""The cache inside an engine's process: its configuration and where its socket is. Loads no engine."""
