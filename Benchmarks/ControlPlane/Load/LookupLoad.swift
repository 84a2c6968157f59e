// lmcache · SPDX-License-Identifier: Apache-2.0

import NativeThreads
import Synchronization
import ZMQTransport

/// Clients that look up in closed loops, all driven by one thread.
///
/// The thread waits for the clients in turn. Both servers answer in the order of arrival, so while it waits for one
/// client, the others' requests lie with the server.
final class LookupLoad: Sendable {
    private let port: UInt16
    private let clientCount: Int
    private let expectedChunks: Int
    private let isStopping = Atomic<Bool>(false)
    private let completed = Atomic<Int>(0)
    private let failure = Mutex<String?>(nil)

    init(port: UInt16, clientCount: Int, expectedChunks: Int) {
        self.port = port
        self.clientCount = clientCount
        self.expectedChunks = expectedChunks
    }

    /// Lookups that have their result so far.
    var completedCount: Int { self.completed.load(ordering: .relaxed) }

    /// Runs the load while `body` runs.
    func run<Result>(while body: () throws -> Result) throws -> Result {
        let thread = NativeThread(name: "lmc-bench-load") { self.loop() }
        defer { thread.join() }
        defer { self.isStopping.store(true, ordering: .relaxed) }
        let result = try body()
        if let text = self.failure.withLock({ $0 }) { throw BenchmarkError.unexpected("load: " + text) }
        return result
    }

    private func loop() {
        do {
            var cycles: [LookupCycle] = []
            // As in an engine, whose clients share one I/O thread.
            let group = try DealerGroup()
            for index in 0..<self.clientCount {
                // Client i asks for the start of stored prompt i.
                let tokens = Workload.prompt(index, tokenCount: Workload.shortPrompt)
                let client = try CacheClient(port: self.port, group: group)
                cycles.append(
                    LookupCycle(
                        client: client, prefix: 10 + index, tokens: tokens, expectedChunks: self.expectedChunks))
                try cycles[index].begin()
            }
            while !self.isStopping.load(ordering: .relaxed) {
                for index in cycles.indices where try cycles[index].advance() {
                    self.completed.add(1, ordering: .relaxed)
                    try cycles[index].finish()
                    try cycles[index].begin()
                }
            }
        } catch {
            self.failure.withLock { $0 = "\(error)" }
        }
    }
}
