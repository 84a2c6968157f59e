// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import Synchronization
import Testing

@testable import CacheEngine

/// Two engines that number their requests alike.
@Suite struct ForeignShareRegressionTests {
    private static func retrieve(_ rig: RegressionEngine, _ order: TransferOrder) -> Bool {
        let answer = Answer()
        rig.engine.retrieve(order) { result in answer.isSuccessful.withLock { $0 = result.isSuccessful } }
        return answer.isSuccessful.withLock { $0 }
    }

    private final class Answer: Sendable {
        let isSuccessful = Mutex(false)
    }

    @Test func aFailedRetrieveLeavesAnothersLeaseAlone() throws {
        let rig = try RegressionEngine()
        defer { rig.engine.stop() }
        try rig.engine.register(rig.registration(), connection: ConnectionID(1))
        let (mine, theirs): ([UInt32], [UInt32]) = ([1, 2, 3, 4, 5, 6, 7, 8], [9, 9, 9, 9, 9, 9, 9, 9])
        rig.engine.store(rig.order(mine, request: "seed", blocks: [1, 2], connection: 1)) { _ in }
        rig.engine.lookup(rig.key(mine, request: "1", worker: nil), connection: ConnectionID(10))
        #expect(rig.engine.takeAnswer(requestID: "1", connection: ConnectionID(10)) == 2)
        #expect(!Self.retrieve(rig, rig.order(theirs, request: "1", blocks: [3, 4], connection: 2)))
        #expect(Self.retrieve(rig, rig.order(mine, request: "1", blocks: [5, 6], connection: 1)))
    }
}
