// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel

/// Everything that the lock of ``L1Cache`` guards.
struct L1State: Sendable {
    var table: ObjectTable
    var namespaces: NamespaceTable
    let capacityBytes: Int
    /// Bytes to keep committed ahead of use; grows when stores outrun it.
    var headStartBytes: Int
    /// Set while the system refuses more memory.
    var growthErrno: Int32?
    var isStopped = false

    /// True while a request that finds no room should wait for memory instead of evicting.
    var mayGrow: Bool {
        self.growthErrno == nil && !self.isStopped && self.table.space.totalBytes < self.capacityBytes
    }

    /// Bytes that the background thread should commit to keep its head start.
    var missingBytes: Int {
        guard !self.isStopped else { return 0 }
        let wanted = min(self.capacityBytes, self.table.space.usedBytes + self.headStartBytes)
        return max(0, wanted - self.table.space.totalBytes)
    }

    /// A store found less memory than it needs: doubles the head start, so that the next one finds more. In the end the
    /// whole capacity is committed, and then stores evict.
    mutating func wasOutrun(step: Int) {
        self.headStartBytes = min(self.capacityBytes, max(step, self.headStartBytes) * 2)
    }

    var usage: L1Usage {
        var usage = self.table.counts
        usage.familyCount = self.table.families.count
        usage.usedBytes = self.table.space.usedBytes
        usage.committedBytes = self.table.space.totalBytes
        usage.capacityBytes = self.capacityBytes
        usage.growthErrno = self.growthErrno
        usage.isHealthy =
            usage.objectCount == usage.residentCount + usage.stagedCount
            && usage.stagedBytes <= usage.usedBytes && usage.usedBytes <= usage.committedBytes
        return usage
    }
}
