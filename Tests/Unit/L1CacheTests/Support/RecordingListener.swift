// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import Synchronization

@testable import L1Cache

/// Keeps what it is told.
///
/// Reads the cache from inside every call, which would hang if the lock were still taken.
final class RecordingListener: L1Listener {
    struct Record {
        var evicted: [EvictedObject] = []
        var committed: [CommittedObject] = []
        var failures: [Int] = []
        var ticks: [Bool] = []
        var growthFailures: [Int32] = []
    }

    let record = Mutex(Record())
    let cache = Mutex<L1Cache?>(nil)

    private func note(_ change: (inout Record) -> Void) {
        _ = self.cache.withLock { $0 }?.usage()
        self.record.withLock { change(&$0) }
    }

    func objectsEvicted(_ objects: [EvictedObject]) { self.note { $0.evicted += objects } }
    func objectsCommitted(_ objects: [CommittedObject]) { self.note { $0.committed += objects } }
    func allocationFailed(count: Int, namespace: NamespaceID, purpose: WriteQuery.Purpose) {
        self.note { $0.failures.append(count) }
    }
    func watermarkTick(usage: Double, triggered: Bool) { self.note { $0.ticks.append(triggered) } }
    func growthFailed(errno: Int32, committedBytes: Int) { self.note { $0.growthFailures.append(errno) } }
}
