// lmcache · SPDX-License-Identifier: Apache-2.0

/// Space that an adapter's objects take.
package struct L2Usage: Sendable, Equatable {
    package var objectCount: Int
    package var usedBytes: Int
    /// Most bytes the adapter takes, or nil for no limit.
    package var capacityBytes: Int?
    /// Bytes of each cache salt; the empty salt stands for none.
    package var bytesBySalt: [String: Int]
    package var completeness = Completeness.complete

    /// How much of the medium the sums know.
    package enum Completeness: String, Sendable {
        /// Everything.
        case complete
        /// What was there before this process is being counted.
        case counting
        /// Only what this process has stored, loaded or counted.
        case sinceStart = "since_start"
    }

    package init(
        objectCount: Int = 0, usedBytes: Int = 0, capacityBytes: Int? = nil, bytesBySalt: [String: Int] = [:]
    ) {
        self.objectCount = objectCount
        self.usedBytes = usedBytes
        self.capacityBytes = capacityBytes
        self.bytesBySalt = bytesBySalt
    }

    /// Used part of the capacity, or nil without a limit.
    package var fraction: Double? {
        guard let capacity = self.capacityBytes, capacity > 0 else { return nil }
        return Double(self.usedBytes) / Double(capacity)
    }
}

/// Events since an adapter's start. Each item of a task raises exactly one of the first four.
package struct L2Counters: Sendable, Equatable {
    /// Items that ended as `done` or `present`.
    package var succeeded: UInt64 = 0
    /// Items that ended as `absent` or `otherLayout`.
    package var missed: UInt64 = 0
    /// Items that ended as another length, as other bytes, or as something that is no object.
    package var mismatched: UInt64 = 0
    /// Those of ``mismatched`` whose checksum differed.
    package var corrupted: UInt64 = 0
    /// Items that failed, expired ones among them.
    package var failed: UInt64 = 0
    /// Items of tasks that were over before the medium answered.
    package var answeredLate: UInt64 = 0
    /// Batches refused because too much was queued.
    package var refused: UInt64 = 0
    package var storedBytes: UInt64 = 0
    package var loadedBytes: UInt64 = 0

    package init() {}

    /// Counts one item's end.
    package mutating func record(_ result: L2Result) {
        switch result {
        case .done, .present: self.succeeded += 1
        case .miss(.absent), .miss(.otherLayout): self.missed += 1
        case .miss(.wrongLength), .miss(.notAnObject): self.mismatched += 1
        case .miss(.corrupted):
            self.mismatched += 1
            self.corrupted += 1
        case .failed: self.failed += 1
        }
    }
}
