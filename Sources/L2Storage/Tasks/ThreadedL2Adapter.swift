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
    private let workers: Int

    private enum Entry: Sendable {
        /// Items of one task that one thread works on in a row.
        case run(L2TaskID, Range<Int>, bytes: [Int])
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
        self.workers = limits.workers
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
        for run in self.runs(of: batch.operation) {
            let bytes = run.map { batch.operation.work(at: $0).byteCount }
            if self.queue.push(.run(task, run, bytes: bytes)) { continue }
            // Closed since: no thread will come for it.
            for index in run { self.finish(task, index, .failed(.closed), bytes: bytes[index - run.lowerBound]) }
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

    /// Cuts a batch into what single threads take: items one by one, or even shares where the medium pipelines.
    private func runs(of operation: L2Operation) -> [Range<Int>] {
        guard let medium = self.medium as? any L2PipelinedMedium else {
            return (0..<operation.count).map { $0..<($0 + 1) }
        }
        let share = max(1, medium.exchangeItems(of: operation, workers: self.workers))
        var runs: [Range<Int>] = []
        var (start, bytes) = (0, 0)
        for index in 0..<operation.count {
            let more = operation.work(at: index).byteCount
            if index > start, index - start >= share || more > medium.exchangeLimits.bytes - bytes {
                runs.append(start..<index)
                (start, bytes) = (index, 0)
            }
            bytes += more
        }
        runs.append(start..<operation.count)
        return runs
    }

    private func work() {
        while let entry = self.queue.pop() {
            switch entry {
            case .run(let task, let run, let bytes): self.work(on: task, run, bytes: bytes)
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

    private func work(on task: L2TaskID, _ run: Range<Int>, bytes: [Int]) {
        let now = self.clock.now()
        let (overdue, part, deadline, isClosed) = self.table.withLock { table in
            (table.expire(task, now: now), table.part(of: task, run), table.deadline(of: task), table.isClosed)
        }
        self.report(overdue)
        guard let part else {
            return self.table.withLock { table in
                for one in bytes { table.drop(bytes: one) }
            }
        }
        var isReported = Array(repeating: false, count: run.count)
        func report(_ place: Int, _ result: L2Result) {
            precondition(!isReported[place], "a medium reports an item once")
            isReported[place] = true
            self.finish(task, run.lowerBound + place, result, bytes: bytes[place])
        }
        if !isClosed { self.perform(part, deadline: deadline, report: report) }
        for place in isReported.indices where !isReported[place] {
            report(place, .failed(isClosed ? .closed : .unavailable))
        }
    }

    private func perform(_ operation: L2Operation, deadline: L2Instant?, report: (Int, L2Result) -> Void) {
        if let medium = self.medium as? any L2PipelinedMedium {
            return medium.perform(operation, deadline: deadline, report: report)
        }
        for place in 0..<operation.count { report(place, self.perform(operation.work(at: place))) }
    }

    private func finish(_ task: L2TaskID, _ index: Int, _ result: L2Result, bytes: Int) {
        self.report(self.table.withLock { $0.finish(L2TaskTable.Item(task: task, index: index), result, bytes: bytes) })
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
