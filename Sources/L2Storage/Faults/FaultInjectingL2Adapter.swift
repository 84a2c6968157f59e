// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel
internal import Synchronization

/// Lets chosen items of another adapter fail without reaching it.
package final class FaultInjectingL2Adapter: L2Adapter {
    package let kind = "fault_inject"
    private let inner: any L2Adapter
    private let plan: Mutex<FaultPlan>
    private let injected = Mutex<UInt64>(0)

    package init(_ inner: any L2Adapter, plan: FaultPlan) {
        self.inner = inner
        self.plan = Mutex(plan)
    }

    /// Items that failed here.
    package var injectedCount: UInt64 { self.injected.withLock { $0 } }

    /// Replaces the plan; its count starts anew.
    package func use(_ plan: FaultPlan) { self.plan.withLock { $0 = plan } }

    package func submit(_ batch: L2Batch) -> L2Submission {
        let fails = self.plan.withLock { plan in batch.operation.faults(&plan) }
        let count = fails.count(where: \.self)
        guard count > 0 else { return self.inner.submit(batch) }
        self.injected.withLock { $0 += UInt64(count) }
        let kept = batch.operation.items { !fails[$0] }
        let completion = batch.completion
        return self.inner.submit(
            L2Batch(kept, deadline: batch.deadline) { results in
                var rest = results.makeIterator()
                completion(fails.map { $0 ? .failed(.injected) : rest.next() ?? .failed(.unavailable) })
            })
    }

    package func list(
        _ query: L2ListQuery, completion: @escaping @Sendable (Result<L2Page, L2Failure>) -> Void
    ) -> L2Submission {
        self.inner.list(query, completion: completion)
    }

    package func cancel(_ task: L2TaskID) { self.inner.cancel(task) }
    package func expireOverdue() { self.inner.expireOverdue() }
    package func bind(to manifest: L2NamespaceManifest) -> L2Binding { self.inner.bind(to: manifest) }
    package func usage() -> L2Usage { self.inner.usage() }
    package func leastRecent(limit: Int) -> [ObjectKey] { self.inner.leastRecent(limit: limit) }
    package func close(milliseconds: Int) -> Bool { self.inner.close(milliseconds: milliseconds) }

    package func counters() -> L2Counters {
        var counters = self.inner.counters()
        counters.failed += self.injectedCount
        return counters
    }
}

extension L2Operation {
    /// For each item whether the plan lets it fail.
    fileprivate func faults(_ plan: inout FaultPlan) -> [Bool] {
        let kind: FaultPlan.Kind =
            switch self {
            case .store: .store
            case .lookup: .lookup
            case .load: .load
            case .delete: .delete
            }
        return self.keys.enumerated().map { plan.fails(kind, $0.element, place: $0.offset, of: self.count) }
    }

    /// The items whose index is wanted.
    fileprivate func items(where isWanted: (Int) -> Bool) -> L2Operation {
        func chosen<Element>(_ elements: [Element]) -> [Element] {
            elements.indices.filter(isWanted).map { elements[$0] }
        }
        switch self {
        case .store(let objects): return .store(chosen(objects))
        case .lookup(let probes): return .lookup(chosen(probes))
        case .load(let objects): return .load(chosen(objects))
        case .delete(let keys): return .delete(chosen(keys))
        }
    }
}
