// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel
package import L2Storage
import Synchronization

/// The adapters' clock, moved by the test.
package struct VirtualTierClock: L2Clock {
    private let clock: VirtualClock

    package init(_ clock: VirtualClock) { self.clock = clock }

    package func now() -> L2Instant {
        let (seconds, attoseconds) = self.clock.now.components
        return L2Instant(nanoseconds: UInt64(seconds) * 1_000_000_000 + UInt64(attoseconds / 1_000_000_000))
    }
}

/// An adapter whose work is done item by item when the test says so, on a medium that outlives it.
///
/// A task that has expired or was cancelled keeps its buffers, and its items can still run: late, as those of a hung
/// device do. One thread.
package final class FakeTier: L2Adapter {
    private struct Task {
        let id: L2TaskID
        let operation: L2Operation
        let deadline: L2Instant?
        var completion: (@Sendable ([L2Result]) -> Void)?
        var results: [L2Result] = []
    }

    private struct State {
        var tasks: [Task] = []
        var last: UInt64 = 0
        var isClosed = false
        var counters = L2Counters()
        var binding: L2Binding?
    }

    package let kind = "fake"
    package let medium: MemoryMedium
    private let clock: any L2Clock
    private let taskLimit: Int
    private let state = Mutex(State())

    package init(medium: MemoryMedium, clock: any L2Clock, taskLimit: Int = 64) {
        self.medium = medium
        self.clock = clock
        self.taskLimit = taskLimit
    }

    /// Tasks whose items have not all run, ended ones included.
    package var pendingCount: Int { self.state.withLock { $0.tasks.count } }

    /// What manifests are answered with; nil: the medium keeps none.
    package func answerManifests(_ binding: L2Binding?) { self.state.withLock { $0.binding = binding } }

    // MARK: What the test does

    /// Runs one item of the task at `position`, counted from the oldest. False when there is none.
    @discardableResult
    package func runItem(position: Int = 0) -> Bool {
        let item = self.state.withLock { state -> (Task, Int)? in
            guard state.tasks.indices.contains(position) else { return nil }
            return (state.tasks[position], state.tasks[position].results.count)
        }
        guard let (task, index) = item else { return false }
        let result = self.perform(task.operation, index)
        let finished = self.state.withLock { state -> ((@Sendable ([L2Result]) -> Void), [L2Result])? in
            guard let position = state.tasks.firstIndex(where: { $0.id == task.id }) else { return nil }
            state.tasks[position].results.append(result)
            state.counters.record(result)
            guard state.tasks[position].results.count == task.operation.count else { return nil }
            let done = state.tasks.remove(at: position)
            return done.completion.map { ($0, done.results) }
        }
        if let (completion, results) = finished { completion(results) }
        return true
    }

    /// Runs everything that is queued.
    package func runAll() { while self.runItem() {} }

    /// Lets go of the buffers of ended tasks without touching them.
    package func forgetLate() {
        let late = self.state.withLock { state in
            let late = state.tasks.filter { $0.completion == nil }
            state.tasks.removeAll { $0.completion == nil }
            return late
        }
        withExtendedLifetime(late) {}
    }

    private func perform(_ operation: L2Operation, _ index: Int) -> L2Result {
        switch operation {
        case .store(let objects): self.medium.store(objects[index])
        case .lookup(let probes): self.medium.lookup(probes[index])
        case .load(let objects): self.medium.load(objects[index])
        case .delete(let keys): self.medium.delete(keys[index])
        }
    }

    // MARK: Contract

    package func submit(_ batch: L2Batch) -> L2Submission {
        if batch.operation.count == 0, !self.state.withLock({ $0.isClosed }) {
            batch.completion([])
            return .accepted(L2TaskID(0))
        }
        return self.state.withLock { state in
            guard !state.isClosed else { return .closed }
            guard state.tasks.count < self.taskLimit else { return .busy }
            state.last += 1
            state.tasks.append(
                Task(
                    id: L2TaskID(state.last), operation: batch.operation, deadline: batch.deadline,
                    completion: batch.completion))
            return .accepted(L2TaskID(state.last))
        }
    }

    package func list(
        _ query: L2ListQuery, completion: @escaping @Sendable (Result<L2Page, L2Failure>) -> Void
    ) -> L2Submission {
        completion(self.medium.list(query))
        return .accepted(L2TaskID(0))
    }

    package func cancel(_ task: L2TaskID) { self.end(.cancelled) { $0.id == task } }

    package func expireOverdue() {
        let now = self.clock.now()
        self.end(.expired) { task in task.deadline.map { $0 <= now } ?? false }
    }

    private func end(_ failure: L2Failure, where isMeant: (Task) -> Bool) {
        let ended = self.state.withLock { state -> [Task] in
            var ended: [Task] = []
            for position in state.tasks.indices
            where state.tasks[position].completion != nil && isMeant(state.tasks[position]) {
                ended.append(state.tasks[position])
                state.tasks[position].completion = nil
            }
            return ended
        }
        for task in ended {
            let missing = task.operation.count - task.results.count
            task.completion?(task.results + Array(repeating: .failed(failure), count: missing))
        }
    }

    package func bind(to manifest: L2NamespaceManifest) -> L2Binding {
        self.state.withLock { $0.binding } ?? self.medium.bind(to: manifest)
    }

    package func usage() -> L2Usage { self.medium.usage() }
    package func counters() -> L2Counters { self.state.withLock { $0.counters } }
    package func leastRecent(limit: Int) -> [ObjectKey] { self.medium.leastRecent(limit: limit) }

    package func close(milliseconds: Int) -> Bool {
        self.state.withLock { $0.isClosed = true }
        self.end(.closed) { _ in true }
        self.forgetLate()
        return true
    }
}
