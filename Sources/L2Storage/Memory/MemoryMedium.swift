// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel
internal import Synchronization

/// Objects in a dictionary: for tests, and for the `mock` adapter.
package final class MemoryMedium: L2Medium {
    private struct State {
        var objects: [ObjectKey: (content: [UInt8], use: UInt64)] = [:]
        var usage: L2Usage
        var uses: UInt64 = 0
        /// By model.
        var manifests: [String: L2NamespaceManifest] = [:]
    }

    private let state: Mutex<State>

    /// Makes an empty medium that takes at most `capacityBytes`.
    package init(capacityBytes: Int? = nil) {
        self.state = Mutex(State(usage: L2Usage(capacityBytes: capacityBytes)))
    }

    package func store(_ object: L2Object) -> L2Result {
        let content = object.buffer.content
        return self.state.withLock { state in
            let present = state.objects[object.key]?.content.count
            if present == content.count { return .present(byteCount: content.count) }
            let sum = (state.usage.usedBytes - (present ?? 0)).addingReportingOverflow(content.count)
            guard !sum.overflow, sum.partialValue <= state.usage.capacityBytes ?? .max else { return .failed(.full) }
            Self.remove(object.key, &state)
            state.uses += 1
            state.objects[object.key] = (content, state.uses)
            state.usage.objectCount += 1
            state.usage.usedBytes += content.count
            state.usage.bytesBySalt[object.key.cacheSalt, default: 0] += content.count
            return .done(byteCount: content.count)
        }
    }

    package func lookup(_ probe: L2Probe) -> L2Result {
        self.state.withLock { state in Self.find(probe.key, byteCount: probe.byteCount, state).0 }
    }

    package func load(_ object: L2Object) -> L2Result {
        let (result, content) = self.state.withLock { state in
            let found = Self.find(object.key, byteCount: object.buffer.byteCount, state)
            if found.1 != nil {
                state.uses += 1
                state.objects[object.key]?.use = state.uses
            }
            return found
        }
        if let content { object.buffer.bytes.copyBytes(from: content) }
        return result
    }

    package func delete(_ key: ObjectKey) -> L2Result {
        self.state.withLock { state in Self.remove(key, &state).map { .done(byteCount: $0) } ?? .miss(.absent) }
    }

    package func list(_ query: L2ListQuery) -> Result<L2Page, L2Failure> {
        let known = self.state.withLock { Array($0.objects.keys) }
        let named: [(name: String, key: ObjectKey)] = known.map { (NativeKeyName.spelled($0), $0) }
        let wanted = named.filter { one in
            (query.modelName == nil || one.key.modelName == query.modelName) && one.name > query.cursor ?? ""
        }
        let page = wanted.sorted { $0.name < $1.name }.prefix(query.limit)
        return .success(L2Page(keys: page.map(\.key), next: page.count < wanted.count ? page.last?.name : nil))
    }

    package func bind(to manifest: L2NamespaceManifest) -> L2Binding {
        self.state.withLock { state in
            let known = state.manifests[manifest.modelName] ?? manifest
            state.manifests[manifest.modelName] = known
            return known.conflict(with: manifest) == nil ? .agrees : .conflicts
        }
    }

    package func usage() -> L2Usage { self.state.withLock { $0.usage } }

    package func leastRecent(limit: Int) -> [ObjectKey] {
        self.state.withLock { state in
            state.objects.sorted { $0.value.use < $1.value.use }.prefix(max(0, limit)).map(\.key)
        }
    }

    package func shutDown() {}

    private static func find(_ key: ObjectKey, byteCount: Int, _ state: State) -> (L2Result, [UInt8]?) {
        guard let content = state.objects[key]?.content else { return (.miss(.absent), nil) }
        guard content.count == byteCount else { return (.miss(.wrongLength(found: content.count)), nil) }
        return (.done(byteCount: byteCount), content)
    }

    @discardableResult
    private static func remove(_ key: ObjectKey, _ state: inout State) -> Int? {
        guard let count = state.objects.removeValue(forKey: key)?.content.count else { return nil }
        state.usage.objectCount -= 1
        state.usage.usedBytes -= count
        let left = (state.usage.bytesBySalt[key.cacheSalt] ?? 0) - count
        state.usage.bytesBySalt[key.cacheSalt] = left > 0 ? left : nil
        return count
    }
}
