// lmcache · SPDX-License-Identifier: Apache-2.0

/// Who we are and whom we stand in for.
package enum LMCacheVersion {
    /// This server's own version.
    package static let current = "0.1.0"
    /// The LMCache release whose clients and surfaces this server serves.
    package static let compatibleWith = "0.5.6"
}
