// lmcache · SPDX-License-Identifier: Apache-2.0

internal import L2Storage
internal import NativeThreads
internal import Synchronization

/// Looks up lengths and times of a directory's files, with more than one thread once there are many.
///
/// Called by one thread. Lock: one, around what was found.
final class StatusSurvey: Sendable {
    struct Found: Sendable {
        let name: ObjectIndex.Name
        let byteCount: Int
        let changed: Int
    }

    private struct State {
        var found: [Found] = []
        var threads: [NativeThread] = []
    }

    private let calls: any FileCalls
    private let directory: Int32
    private let queue = BoundedQueue<NameBatch>(capacity: 64)
    private let state = Mutex(State())

    /// More than processors often are: where the disk has to be asked, they wait.
    private static let threadCount = 4

    /// - Parameter directory: Stays open until ``finish(_:)`` or ``end()`` has returned.
    init(calls: any FileCalls, directory: Int32) {
        self.calls = calls
        self.directory = directory
    }

    /// Looks a full batch up, at some time before ``finish(_:)`` returns.
    func take(_ batch: NameBatch) {
        self.state.withLock { state in
            guard state.threads.isEmpty else { return }
            state.threads = (0..<Self.threadCount).map { index in
                NativeThread(name: "l2-scan-\(index)") { @Sendable in
                    while let batch = self.queue.pop() { self.look(up: batch) }
                }
            }
        }
        // With the queue full this thread has nothing better to do.
        if !self.queue.push(batch) { self.look(up: batch) }
    }

    /// Looks the last batch up and waits for all others. Returns every regular file, in no order.
    func finish(_ batch: NameBatch) -> [Found] {
        self.look(up: batch)
        self.end()
        return self.state.withLock { state in
            defer { state.found = [] }
            return state.found
        }
    }

    /// Waits for the threads. Harmless when called twice.
    func end() {
        self.queue.close()
        let threads = self.state.withLock { state in
            defer { state.threads = [] }
            return state.threads
        }
        for thread in threads { thread.join() }
    }

    private func look(up batch: NameBatch) {
        var found: [Found] = []
        found.reserveCapacity(batch.names.count)
        batch.texts.withUnsafeBufferPointer { texts in
            guard let base = texts.baseAddress else { return }
            for (name, start) in zip(batch.names, batch.starts) {
                let text = UnsafeRawPointer(base + start).assumingMemoryBound(to: CChar.self)
                // A file that another server has just removed is simply not there.
                guard let status = try? self.calls.status(ofName: text, in: self.directory), status.kind == .regular
                else { continue }
                found.append(Found(name: name, byteCount: status.byteCount, changed: status.changed))
            }
        }
        self.state.withLock { $0.found += found }
    }
}
