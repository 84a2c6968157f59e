// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel
internal import Synchronization

/// What a medium that other servers write to holds, as far as this one has stored or loaded it.
///
/// Lock: one, around the index. Keys beyond what the index can name are served, but not accounted for.
package final class ObjectAccounts: Sendable {
    private let index: Mutex<ObjectIndex>

    /// Makes empty accounts of a medium that takes `capacityBytes` at most, or any number.
    package init(capacityBytes: Int?) {
        self.index = Mutex(ObjectIndex(capacityBytes: capacityBytes))
    }

    /// Claims room for a store. False when the capacity has none.
    ///
    /// - Parameter replaced: Length of the object that the store replaces, or 0.
    package func claim(_ byteCount: Int, replacing replaced: Int) -> Bool {
        self.index.withLock { $0.reserve(byteCount, replacing: replaced) }
    }

    /// Gives up what ``claim(_:replacing:)`` took.
    package func unclaim(_ byteCount: Int) {
        self.index.withLock { $0.unreserve(byteCount) }
    }

    /// Notes that the object is there with this length, and was used last.
    package func note(_ key: ObjectKey, byteCount: Int) {
        self.index.withLock { index in
            if let name = index.name(key) { index.note(name, byteCount: byteCount) }
        }
    }

    /// Notes that the object is gone.
    package func forget(_ key: ObjectKey) {
        self.index.withLock { index in
            if let name = index.name(key) { index.forget(name) }
        }
    }

    /// The object's length, if it is known.
    package func byteCount(of key: ObjectKey) -> Int? {
        self.index.withLock { index in index.name(key).flatMap { index.byteCount(of: $0) } }
    }

    /// Sums, for each salt too.
    package func usage() -> L2Usage { self.index.withLock { $0.usageBySalt() } }

    /// The keys used least recently, oldest first.
    package func leastRecent(limit: Int) -> [ObjectKey] { self.index.withLock { $0.leastRecent(limit: limit) } }
}
