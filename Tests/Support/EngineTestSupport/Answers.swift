// lmcache · SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Collects answers from whichever thread gives them.
package final class Answers<Value: Sendable>: Sendable {
    private let values = Mutex<[Value]>([])

    package init() {}

    package var all: [Value] { self.values.withLock { $0 } }
    package var count: Int { self.values.withLock { $0.count } }

    package func add(_ value: Value) { self.values.withLock { $0.append(value) } }
}
