# lmcache · SPDX-License-Identifier: Apache-2.0
"""What the server says about chunks that come and go."""
