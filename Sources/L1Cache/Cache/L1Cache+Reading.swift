// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel
import Synchronization

extension L1Cache {
    /// Finds the longest servable prefix, leases the cells it needs and makes its families the most recently used.
    package func acquire(_ query: PrefixQuery) -> ReadLease {
        self.state.withLock { $0.table.acquire(query) }
    }

    /// Ends one lease on each object.
    ///
    /// Objects that are gone are counted and skipped.
    package func release(_ handles: [ObjectHandle]) {
        guard !handles.isEmpty else { return }
        self.state.withLock { $0.table.release(handles) }
    }

    /// Keeps the bytes of every object, or of none, until `releaseHolds`, whatever happens to the keys.
    ///
    /// Nil when one of the objects is gone or no longer in the index.
    package func hold(_ handles: [ObjectHandle]) -> [ObjectPlace]? {
        self.state.withLock { $0.table.hold(handles) }
    }

    /// Turns shares of a lease into I/O holds: holds every object or none, then ends the leases marked as last.
    ///
    /// The leases end also when nil is returned.
    package func convertLeasesToHolds(_ handles: [(ObjectHandle, isLast: Bool)]) -> [ObjectPlace]? {
        self.state.withLock { $0.table.convertLeasesToHolds(handles) }
    }

    /// Ends one hold on each object.
    package func releaseHolds(_ handles: [ObjectHandle]) {
        guard !handles.isEmpty else { return }
        self.state.withLock { $0.table.releaseHolds(handles) }
    }

    /// Makes families the most recently used ones, the first chunk newest, so that tails go first.
    package func touch(namespace: NamespaceID, worldSize: Int, hashes: [ChunkHash]) {
        guard !hashes.isEmpty else { return }
        self.state.withLock { $0.table.touch(namespace: namespace, worldSize: worldSize, hashes: hashes) }
    }
}
