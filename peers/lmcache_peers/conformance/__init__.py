# lmcache · SPDX-License-Identifier: Apache-2.0
"""What a cache server must answer, to clients in order and to others."""
