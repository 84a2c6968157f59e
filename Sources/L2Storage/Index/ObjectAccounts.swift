// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel
internal import Synchronization

/// What a medium that other servers write to holds, as far as this one has stored, loaded or counted it.
///
/// Lock: one, around the index. Keys beyond what the index can name are served, but not accounted for.
package final class ObjectAccounts: Sendable {
    private let state: Mutex<State>

    /// A counted object in the index, and when it was used.
    package struct Restored: Sendable {
        let place: Int32
        let lastUse: Int64
    }

    private struct State: Sendable {
        var index: ObjectIndex
        var completeness = L2Usage.Completeness.sinceStart
        /// Whether a count is under way, and has to be told what goes meanwhile.
        var isCounting = false
        /// What went since the count began: a page that was read before may still name it.
        var gone: Set<ObjectIndex.Name> = []
        var restored: [Restored] = []
    }

    /// Makes empty accounts of a medium that takes `capacityBytes` at most, or any number.
    package init(capacityBytes: Int?) {
        self.state = Mutex(State(index: ObjectIndex(capacityBytes: capacityBytes)))
    }

    /// Claims room for a store. False when the capacity has none.
    ///
    /// - Parameter replaced: Length of the object that the store replaces, or 0.
    package func claim(_ byteCount: Int, replacing replaced: Int) -> Bool {
        self.state.withLock { $0.index.reserve(byteCount, replacing: replaced) }
    }

    /// Gives up what ``claim(_:replacing:)`` took.
    package func unclaim(_ byteCount: Int) {
        self.state.withLock { $0.index.unreserve(byteCount) }
    }

    /// Notes that the object is there with this length, and was used last.
    package func note(_ key: ObjectKey, byteCount: Int) {
        self.state.withLock { state in
            guard let name = state.index.name(key) else { return }
            state.index.note(name, byteCount: byteCount)
            if state.isCounting { state.gone.remove(name) }
        }
    }

    /// Notes that the object is gone.
    package func forget(_ key: ObjectKey) {
        self.state.withLock { state in
            guard let name = state.index.name(key) else { return }
            state.index.forget(name)
            if state.isCounting { state.gone.insert(name) }
        }
    }

    /// The object's length, if it is known.
    package func byteCount(of key: ObjectKey) -> Int? {
        self.state.withLock { state in state.index.name(key).flatMap { state.index.byteCount(of: $0) } }
    }

    /// Sums, for each salt too.
    package func usage() -> L2Usage {
        self.state.withLock { state in
            var usage = state.index.usageBySalt()
            usage.completeness = state.completeness
            return usage
        }
    }

    /// The keys used least recently, oldest first.
    package func leastRecent(limit: Int) -> [ObjectKey] { self.state.withLock { $0.index.leastRecent(limit: limit) } }

    // MARK: Counting

    /// From now on what goes is remembered.
    func beginCount() {
        self.state.withLock { state in
            state.isCounting = true
            state.completeness = .counting
        }
    }

    /// Adds what a page names: older than everything, unless it is known already or has gone since the count began.
    func restore(_ objects: [UsageCounter.Counted]) {
        self.state.withLock { state in
            for object in objects where object.byteCount > 0 {
                guard let name = state.index.name(object.key), !state.gone.contains(name),
                    let place = state.index.restore(name, byteCount: object.byteCount)
                else { continue }
                state.restored.append(Restored(place: place, lastUse: object.lastUse))
            }
        }
    }

    /// Whether the medium answers the count.
    func countGoesOn(_ isGettingOn: Bool) {
        self.state.withLock { $0.completeness = isGettingOn ? .counting : .sinceStart }
    }

    func takeRestored() -> [Restored] {
        self.state.withLock { state in
            defer { state.restored = [] }
            return state.restored
        }
    }

    /// Makes each in turn the one that was used least recently, unless it has been used since.
    func putFirst(_ order: some Sequence<Restored>) {
        self.state.withLock { state in
            for one in order { state.index.putOldest(one.place) }
        }
    }

    func endCount() {
        self.state.withLock { state in
            state.isCounting = false
            state.completeness = .complete
            state.gone = []
        }
    }
}
