// lmcache · SPDX-License-Identifier: Apache-2.0

/// A storage tier as requests name it.
enum CacheTier: String, Sendable, CaseIterable {
    case l1, l2, all
}
