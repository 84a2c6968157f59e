# lmcache · SPDX-License-Identifier: Apache-2.0
"""How blocks travel between an engine's memory and the server."""
