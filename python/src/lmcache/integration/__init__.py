# lmcache · SPDX-License-Identifier: Apache-2.0
"""Glue for inference engines."""
