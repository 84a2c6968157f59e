// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel
internal import NativeThreads
internal import Synchronization

/// An adapter that runs a medium's blocking calls on a fixed set of threads.
///
/// Lock: one, around the task table; the medium and completions are called outside it.
package final class ThreadedL2Adapter: L2Adapter {
    package let kind: String
    private let medium: any L2Medium
    private let clock: any L2Clock
    private let table: Mutex<L2TaskTable>
    // Unbounded by itself: the table admits, and a batch larger than its limit must fit too.
    private let queue = BoundedQueue<Entry>(capacity: .max)
    private let listings = Mutex<[L2TaskID: Listing]>([:])
    private let threads: Mutex<[NativeThread]>
    private let workersLeft: Mutex<Int>
    private let drained = StopSignal()

    private enum Entry: Sendable {
        case item(L2TaskTable.Item, bytes: Int)
        case listing(Listing)
    }

    private final class Listing: Sendable {
        let query: L2ListQuery
        private let completion: Mutex<(@Sendable (Result<L2Page, L2Failure>) -> Void)?>

        init(_ query: L2ListQuery, _ completion: @escaping @Sendable (Result<L2Page, L2Failure>) -> Void) {
            self.query = query
            self.completion = Mutex(completion)
        }

        var isOver: Bool { self.completion.withLock { $0 == nil } }

        /// Answers unless somebody has.
        func answer(_ result: Result<L2Page, L2Failure>) {
            let taken = self.completion.withLock { completion in
                defer { completion = nil }
                return completion
            }
            taken?(result)
        }
    }

    /// Starts the threads.
    package init(kind: String, medium: any L2Medium, limits: L2Limits, clock: any L2Clock) {
        self.kind = kind
        self.medium = medium
        self.clock = clock
        self.table = Mutex(L2TaskTable(itemLimit: limits.items, byteLimit: limits.bytes))
        self.threads = Mutex([])
        self.workersLeft = Mutex(limits.workers)
        let started = (0..<limits.workers).map { index in
            NativeThread(name: "l2-\(kind)-\(index)") { @Sendable in self.work() }
        }
        self.threads.withLock { $0 = started }
    }

    package func submit(_ batch: L2Batch) -> L2Submission {
        guard batch.operation.count > 0 else { return self.submitEmpty(batch) }
        let submission = self.table.withLock { $0.submit(batch) }
        guard case .accepted(let task) = submission else { return submission }
        for index in 0..<batch.operation.count {
            let bytes = batch.operation.work(at: index).byteCount
            let item = L2TaskTable.Item(task: task, index: index)
            if !self.queue.push(.item(item, bytes: bytes)) {
                // Closed since: no thread will come for it.
                self.report(self.table.withLock { $0.finish(item, .failed(.closed), bytes: bytes) })
            }
        }
        return submission
    }

    package func list(
        _ query: L2ListQuery, completion: @escaping @Sendable (Result<L2Page, L2Failure>) -> Void
    ) -> L2Submission {
        let task = self.table.withLock { $0.isClosed ? nil : $0.nextNumber() }
        guard let task else { return .closed }
        let listing = Listing(query, completion)
        let isTaken = self.listings.withLock { listings in
            guard listings.count < Self.listingLimit else { return false }
            listings[task] = listing
            return true
        }
        guard isTaken else { return .busy }
        if !self.queue.push(.listing(listing)) { listing.answer(.failure(.closed)) }
        return .accepted(task)
    }

    package func cancel(_ task: L2TaskID) {
        self.report(self.table.withLock { $0.end(task, .cancelled) })
        self.listings.withLock { $0.removeValue(forKey: task) }?.answer(.failure(.cancelled))
    }

    package func expireOverdue() {
        let now = self.clock.now()
        for ended in self.table.withLock({ $0.expire(now: now) }) { self.report(ended) }
        let overdue = self.listings.withLock { listings in
            for (task, listing) in listings where listing.isOver { listings[task] = nil }
            return listings.values.filter { $0.query.deadline.map { $0 <= now } ?? false }
        }
        for listing in overdue { listing.answer(.failure(.expired)) }
    }

    package func bind(to manifest: L2NamespaceManifest) -> L2Binding { self.medium.bind(to: manifest) }

    package func usage() -> L2Usage { self.medium.usage() }

    package func counters() -> L2Counters { self.table.withLock { $0.counters } }

    package func leastRecent(limit: Int) -> [ObjectKey] { self.medium.leastRecent(limit: limit) }

    /// Items queued or running, those of ended tasks included until their threads have let go of them.
    package var occupiedItems: Int { self.table.withLock { $0.occupiedItems } }

    package func close(milliseconds: Int) -> Bool {
        self.table.withLock { $0.close() }
        self.queue.close()
        let isDrained = self.drained.wait(milliseconds: milliseconds)
        for ended in self.table.withLock({ $0.endAll(.closed) }) { self.report(ended) }
        let listings = self.listings.withLock { listings in
            defer { listings = [:] }
            return listings.values
        }
        for listing in listings { listing.answer(.failure(.closed)) }
        guard isDrained else { return false }
        let threads = self.threads.withLock { threads in
            defer { threads = [] }
            return threads
        }
        for thread in threads { thread.join() }
        return true
    }

    private static let listingLimit = 64

    private func submitEmpty(_ batch: L2Batch) -> L2Submission {
        let task = self.table.withLock { $0.isClosed ? nil : $0.nextNumber() }
        guard let task else { return .closed }
        batch.completion([])
        return .accepted(task)
    }

    private func work() {
        while let entry = self.queue.pop() {
            switch entry {
            case .item(let item, let bytes): self.work(on: item, bytes: bytes)
            case .listing(let listing): self.answer(listing)
            }
        }
        let left = self.workersLeft.withLock { left in
            left -= 1
            return left
        }
        guard left == 0 else { return }
        self.medium.shutDown()
        self.drained.raise()
    }

    private func work(on item: L2TaskTable.Item, bytes: Int) {
        let now = self.clock.now()
        let (overdue, work, isClosed) = self.table.withLock { table in
            (table.expire(item.task, now: now), table.work(of: item), table.isClosed)
        }
        self.report(overdue)
        guard let work else { return self.table.withLock { $0.drop(bytes: bytes) } }
        let result = isClosed ? .failed(.closed) : self.perform(work)
        self.report(self.table.withLock { $0.finish(item, result, bytes: bytes) })
    }

    private func perform(_ work: L2Work) -> L2Result {
        switch work {
        case .store(let object): self.medium.store(object)
        case .lookup(let probe): self.medium.lookup(probe)
        case .load(let object): self.medium.load(object)
        case .delete(let key): self.medium.delete(key)
        }
    }

    private func answer(_ listing: Listing) {
        guard !listing.isOver else { return }
        let isClosed = self.table.withLock { $0.isClosed }
        listing.answer(isClosed ? .failure(.closed) : self.medium.list(listing.query))
        self.listings.withLock { listings in
            for (task, one) in listings where one === listing { listings[task] = nil }
        }
    }

    private func report(_ ended: L2TaskTable.Ended?) {
        guard let ended else { return }
        ended.completion(ended.results)
    }
}
