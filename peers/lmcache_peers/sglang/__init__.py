# lmcache · SPDX-License-Identifier: Apache-2.0
"""SGLang's own radix caches, without an engine."""
