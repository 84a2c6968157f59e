// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import Synchronization
import Testing

@testable import ServerKit

/// Every reply of the server passes here: the millionth must cost what the first one did.
@Suite struct ReplyRouteRegressionTests {
    private final class Counter: Sendable {
        let count = Atomic<Int>(0)
    }

    @Test func aMillionRepliesNeitherSlowDownNorOverflowTheStack() {
        let route = ReplyRoute()
        let counter = Counter()
        route.connect { _, _ in counter.count.add(1, ordering: .relaxed) }
        for _ in 0..<1_000_000 { route.send([], to: ConnectionID(1)) }
        #expect(counter.count.load(ordering: .relaxed) == 1_000_000)
    }
}
