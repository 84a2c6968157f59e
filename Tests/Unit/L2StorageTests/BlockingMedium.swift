// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import L2Storage
import NativeThreads
import Synchronization

/// A medium whose calls wait until the test lets them go.
final class BlockingMedium: L2Medium {
    private let started = BoundedQueue<ObjectKey>(capacity: 100)
    private let gate = BoundedQueue<L2Result>(capacity: 100)

    /// Waits until a call is under way.
    func awaitCall() -> ObjectKey? { self.started.pop() }

    /// Lets one call return.
    func answer(_ result: L2Result) { _ = self.gate.push(result) }

    private func call(_ key: ObjectKey) -> L2Result {
        _ = self.started.push(key)
        return self.gate.pop() ?? .failed(.unavailable)
    }

    func store(_ object: L2Object) -> L2Result { self.call(object.key) }
    func lookup(_ probe: L2Probe) -> L2Result { self.call(probe.key) }
    func load(_ object: L2Object) -> L2Result { self.call(object.key) }
    func delete(_ key: ObjectKey) -> L2Result { self.call(key) }
    func list(_ query: L2ListQuery) -> Result<L2Page, L2Failure> { .success(L2Page(keys: [], next: nil)) }
    func usage() -> L2Usage { L2Usage() }
    func leastRecent(limit: Int) -> [ObjectKey] { [] }
    func shutDown() {}
}

/// A clock that a test sets.
final class ManualL2Clock: L2Clock {
    private let time = Atomic<UInt64>(0)

    func now() -> L2Instant { L2Instant(nanoseconds: self.time.load(ordering: .acquiring)) }
    func set(_ nanoseconds: UInt64) { self.time.store(nanoseconds, ordering: .releasing) }
}

/// Keeps what a completion was given.
final class Received: Sendable {
    private let values = Mutex<[[L2Result]]>([])

    var all: [[L2Result]] { self.values.withLock { $0 } }
    func add(_ results: [L2Result]) { self.values.withLock { $0.append(results) } }
}
