# lmcache · SPDX-License-Identifier: Apache-2.0
"""The client side of the lmcache server. Importing it loads no engine, no torch and no GPU driver."""

__version__ = "0.1.0"
