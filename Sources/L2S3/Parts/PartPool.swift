// lmcache · SPDX-License-Identifier: Apache-2.0

internal import NativeThreads
internal import Synchronization

/// Threads that help with the parts of one object. Any thread.
///
/// Whoever has an object does its parts itself and is helped by those who have nothing to do: nobody waits for a
/// thread. The threads are started with the first object that has parts.
final class PartPool: Sendable {
    private let limit: Int
    private let queue = BoundedQueue<Job>(capacity: 4096)
    private let threads = Mutex<[NativeThread]>([])

    /// - Parameter limit: Most threads; 0 for none.
    init(limit: Int) { self.limit = limit }

    /// Calls `body` with each number below `count`, several at once, until one call returns false.
    ///
    /// Returns after the last call has; `body` is then released, whatever threads still do.
    ///
    /// - Returns: Whether every call was made and returned true.
    func run(_ count: Int, _ body: @escaping @Sendable (Int) -> Bool) -> Bool {
        let job = Job(count, body)
        let helpers = min(count - 1, self.limit)
        if helpers > 0 { self.startThreads() }
        for _ in 0..<max(0, helpers) where !self.queue.push(job) { break }
        job.work()
        return job.result()
    }

    /// Ends the threads; afterwards every caller does its parts alone.
    func close() {
        self.queue.close()
        let threads = self.threads.withLock { threads in
            defer { threads = [] }
            return threads
        }
        for thread in threads { thread.join() }
    }

    private func startThreads() {
        self.threads.withLock { threads in
            guard threads.isEmpty else { return }
            threads = (0..<self.limit).map { index in
                NativeThread(name: "l2-s3-part-\(index)") { @Sendable [queue] in
                    while let job = queue.pop() { job.work() }
                }
            }
        }
    }

    /// The parts of one object.
    private final class Job: Sendable {
        private struct State: Sendable {
            var body: (@Sendable (Int) -> Bool)?
            var next = 0
            var running = 0
            var hasFailed = false
        }

        private let count: Int
        private let state: Monitor<State>

        init(_ count: Int, _ body: @escaping @Sendable (Int) -> Bool) {
            self.count = count
            self.state = Monitor(State(body: body))
        }

        /// Does parts until none is left to begin.
        func work() {
            while let (number, body) = self.take() {
                let isDone = body(number)
                self.state.change { state in
                    state.running -= 1
                    state.hasFailed = state.hasFailed || !isDone
                }
            }
        }

        /// Waits for those who still work.
        func result() -> Bool {
            let isWhole = self.state.wait(milliseconds: .max) { state -> Bool? in
                guard state.running == 0 else { return nil }
                // A thread that comes late shall hold no object's memory.
                state.body = nil
                return !state.hasFailed && state.next == self.count
            }
            return isWhole ?? false
        }

        private func take() -> (Int, @Sendable (Int) -> Bool)? {
            self.state.change { state in
                guard let body = state.body, !state.hasFailed, state.next < self.count else { return nil }
                defer {
                    state.next += 1
                    state.running += 1
                }
                return (state.next, body)
            }
        }
    }
}
