// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import L1Cache
import Testing

@testable import CacheEngine

/// Commits that arrive after their connection was lost, while another request works on the same chunks.
@Suite struct LateCommitRegressionTests {
    private let identity = PendingTransfersTests.identity()

    private func entry(_ request: String, connection: UInt64, index: UInt32) -> PendingTransfers.Entry {
        PendingTransfersTests.entry(self.identity, request: request, connection: connection, index: index)
    }

    @Test func aLateCommitNeverShowsAnothersHalfWrittenSlots() {
        var pending = PendingTransfers()
        pending.openWrite(self.entry("late", connection: 1, index: 1))
        _ = pending.connectionClosed(ConnectionID(1))
        pending.openWrite(self.entry("writing", connection: 2, index: 2))
        #expect(pending.takeWrite(self.identity, requestID: "late") == nil)
        #expect(pending.takeWrite(self.identity, requestID: "writing")?.handles.first?.index == 2)
    }

    @Test func aLateCommitEndsItsOwnReadAndNotAnothers() {
        var pending = PendingTransfers()
        pending.openRead(self.entry("late", connection: 1, index: 1))
        _ = pending.connectionClosed(ConnectionID(1))
        pending.openRead(self.entry("reading", connection: 2, index: 2))
        #expect(pending.takeRead(self.identity, requestID: "late")?.handles.first?.index == 1)
        #expect(pending.orphanCount == 0)
        #expect(pending.openCount == 1)
    }
}
