// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel
import Synchronization

/// What a tier behind the first one needs.
extension L1Cache {
    /// Tells which cells of the query's chunks are here and holds each of them until `releaseHolds`.
    ///
    /// A batch of chunks at a time; other threads proceed in between.
    package func survey(_ query: PrefixQuery) -> PrefixSurvey {
        var survey = PrefixSurvey(query)
        for start in stride(from: 0, to: query.hashes.count, by: Self.surveyBatch) {
            let chunks = start..<min(start + Self.surveyBatch, query.hashes.count)
            self.state.withLock { $0.table.survey(query, chunks: chunks, into: &survey) }
        }
        return survey
    }

    /// Chunks looked at under one lock: some hundred microseconds.
    private static let surveyBatch = 2048

    /// Makes objects visible that came from another tier. No listener hears of temporary ones, which go with their last
    /// lease or hold.
    package func publish(_ handles: [ObjectHandle], isTemporary: Bool) {
        guard !handles.isEmpty else { return }
        let committed = self.state.withLock { state in
            if isTemporary { state.table.markTemporary(handles) }
            return state.table.commit(handles)
        }
        if !committed.isEmpty, !isTemporary { self.listener?.objectsCommitted(committed) }
    }

    /// Takes objects out of the index that another tier has: at once, or with their last lease.
    package func expel(_ handles: [ObjectHandle]) {
        guard !handles.isEmpty else { return }
        let evicted = self.state.withLock { $0.table.expel(handles) }
        if !evicted.isEmpty { self.listener?.objectsEvicted(evicted) }
    }

    /// What visible objects are; nil for those that are gone.
    package func descriptions(of handles: [ObjectHandle]) -> [CommittedObject?] {
        self.state.withLock { state in handles.map { state.table.description(of: $0) } }
    }

    /// Holds each visible object that is still there; nil for the others.
    package func holdEach(_ handles: [ObjectHandle]) -> [ObjectPlace?] {
        self.state.withLock { state in
            handles.map { handle in
                state.table.description(of: handle) == nil ? nil : state.table.hold([handle])?.first
            }
        }
    }

    /// Removes single objects; with `force` also those in use, whose bytes stay until their users are done.
    package func remove(_ objects: [CommittedObject], force: Bool) -> [L1Removal] {
        var evicted: [EvictedObject] = []
        let results = self.state.withLock { state in
            objects.map { state.table.remove($0, force: force, into: &evicted) }
        }
        if !evicted.isEmpty { self.listener?.objectsEvicted(evicted) }
        return results
    }

    /// The numbers of all namespaces of a model and salt, whatever their layout.
    package func identifiers(modelName: String, cacheSalt: String) -> [NamespaceID] {
        self.state.withLock { $0.namespaces.identifiers(modelName: modelName, cacheSalt: cacheSalt) }
    }
}
