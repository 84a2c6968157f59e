# lmcache · SPDX-License-Identifier: Apache-2.0
"""What a real engine must see, one file for each kind of situation."""
