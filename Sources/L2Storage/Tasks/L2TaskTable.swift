// lmcache · SPDX-License-Identifier: Apache-2.0

/// Tracks the items of accepted tasks from the queue to their results. Decides only; the owner acts and locks.
///
///     submit ──> waiting ──work──> running ──finish──> reported with its task
///                   │                 │
///                   └─ end(task) ─────┴──> reported at once; a running item's own result is dropped as late
struct L2TaskTable {
    /// One item of one task.
    struct Item: Hashable, Sendable {
        let task: L2TaskID
        let index: Int
    }

    /// A task that is over, and what its caller is told.
    struct Ended {
        let completion: @Sendable ([L2Result]) -> Void
        let results: [L2Result]
    }

    private struct Record {
        let operation: L2Operation
        let deadline: L2Instant?
        let completion: @Sendable ([L2Result]) -> Void
        var results: [L2Result?]
        var missing: Int
    }

    /// Most items that are queued or running.
    let itemLimit: Int
    /// Most bytes of buffers of tasks that are not over.
    let byteLimit: Int
    private(set) var counters = L2Counters()
    /// Items queued or running, those of ended tasks included until a thread has let go of them.
    private(set) var occupiedItems = 0
    /// Bytes of buffers that are queued or running, ended tasks included.
    private(set) var occupiedBytes = 0
    private var tasks: [L2TaskID: Record] = [:]
    private var lastTask: UInt64 = 0
    private(set) var isClosed = false

    init(itemLimit: Int, byteLimit: Int) {
        self.itemLimit = itemLimit
        self.byteLimit = byteLimit
    }

    /// Tasks that are not over.
    var openTasks: Int { self.tasks.count }

    /// Takes a batch of at least one item if there is room.
    ///
    /// A batch larger than the limits is taken when nothing else is there, so that none is refused for ever.
    mutating func submit(_ batch: L2Batch) -> L2Submission {
        guard !self.isClosed else { return .closed }
        let (count, bytes) = (batch.operation.count, batch.operation.byteCount)
        let fits = count <= self.itemLimit - self.occupiedItems && bytes <= self.byteLimit - self.occupiedBytes
        guard fits || self.occupiedItems == 0 else {
            self.counters.refused += 1
            return .busy
        }
        let task = self.nextNumber()
        self.occupiedItems += count
        self.occupiedBytes += bytes
        self.tasks[task] = Record(
            operation: batch.operation, deadline: batch.deadline, completion: batch.completion,
            results: Array(repeating: nil, count: count), missing: count)
        return .accepted(task)
    }

    /// A number for a task that the table does not track.
    mutating func nextNumber() -> L2TaskID {
        self.lastTask += 1
        return L2TaskID(self.lastTask)
    }

    /// What a thread shall do for items it has taken, or nil when their task is over.
    func part(of task: L2TaskID, _ items: Range<Int>) -> L2Operation? {
        self.tasks[task]?.operation.part(items)
    }

    /// When a task's caller stops waiting; nil for never, or when the task is over.
    func deadline(of task: L2TaskID) -> L2Instant? {
        self.tasks[task]?.deadline
    }

    /// Notes an item's result. Returns its task if that was the last one missing.
    ///
    /// - Parameter bytes: Length of the item's buffer, or 0.
    mutating func finish(_ item: Item, _ result: L2Result, bytes: Int) -> Ended? {
        self.vacate(items: 1, bytes: bytes)
        guard var task = self.tasks.removeValue(forKey: item.task) else {
            self.counters.answeredLate += 1
            return nil
        }
        precondition(task.results[item.index] == nil, "an item finishes once")
        task.results[item.index] = result
        task.missing -= 1
        self.count(result, task.operation)
        guard task.missing == 0 else {
            self.tasks[item.task] = task
            return nil
        }
        return Ended(completion: task.completion, results: task.results.compactMap(\.self))
    }

    /// Lets go of an item whose task was over before a thread came to it.
    mutating func drop(bytes: Int) {
        self.vacate(items: 1, bytes: bytes)
    }

    /// Ends one task; its items without a result fail for `reason`.
    mutating func end(_ task: L2TaskID, _ reason: L2Failure) -> Ended? {
        guard let ending = self.tasks.removeValue(forKey: task) else { return nil }
        self.counters.failed += UInt64(ending.missing)
        return Ended(completion: ending.completion, results: ending.results.map { $0 ?? .failed(reason) })
    }

    /// Ends one task if its deadline is not after `now`.
    mutating func expire(_ task: L2TaskID, now: L2Instant) -> Ended? {
        guard let deadline = self.tasks[task]?.deadline, deadline <= now else { return nil }
        return self.end(task, .expired)
    }

    /// Ends every task whose deadline is not after `now`, oldest first.
    mutating func expire(now: L2Instant) -> [Ended] {
        let overdue = self.tasks.filter { $0.value.deadline.map { $0 <= now } ?? false }
        return overdue.keys.sorted { $0.rawValue < $1.rawValue }.compactMap { self.end($0, .expired) }
    }

    /// Ends every task that is left.
    mutating func endAll(_ reason: L2Failure) -> [Ended] {
        self.tasks.keys.sorted { $0.rawValue < $1.rawValue }.compactMap { self.end($0, reason) }
    }

    /// Refuses further batches from now on.
    mutating func close() {
        self.isClosed = true
    }

    private mutating func vacate(items: Int, bytes: Int) {
        self.occupiedItems -= items
        self.occupiedBytes -= bytes
        precondition(self.occupiedItems >= 0 && self.occupiedBytes >= 0, "an item leaves once")
    }

    private mutating func count(_ result: L2Result, _ operation: L2Operation) {
        self.counters.record(result)
        guard case .done(let byteCount) = result else { return }
        switch operation {
        case .store: self.counters.storedBytes += UInt64(byteCount)
        case .load: self.counters.loadedBytes += UInt64(byteCount)
        case .lookup, .delete: break
        }
    }
}
