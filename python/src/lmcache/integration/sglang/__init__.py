# lmcache · SPDX-License-Identifier: Apache-2.0
"""What SGLang loads."""
