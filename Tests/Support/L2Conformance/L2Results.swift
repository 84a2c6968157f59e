// lmcache · SPDX-License-Identifier: Apache-2.0

internal import L2Storage

extension [L2Result] {
    /// Every item is stored, found, loaded or deleted.
    package var haveAllSucceeded: Bool { !self.contains { !$0.isSuccess } }
}
