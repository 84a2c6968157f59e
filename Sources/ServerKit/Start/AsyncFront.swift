// lmcache · SPDX-License-Identifier: Apache-2.0

import NativeThreads
import Synchronization

/// Runs an asynchronous service for a caller that is not asynchronous.
package final class AsyncFront: Sendable {
    private struct State {
        var port: Int?
        var failure: StartError?
        var task: Task<Void, Never>?
    }

    private let name: String
    private let state = Mutex(State())
    private let settled = StopSignal()
    private let ended = StopSignal()

    /// A service that is not started yet; `name` is used in errors.
    package init(name: String) { self.name = name }

    /// Starts `body` and waits until it calls `ready` with its port.
    ///
    /// - Parameters:
    ///   - milliseconds: How long to wait for that.
    ///   - body: Serves until it is cancelled.
    ///   - describe: Turns an error that `body` threw before it was ready into one of ours.
    package func start(
        milliseconds: Int,
        body: @escaping @Sendable (_ ready: @escaping @Sendable (Int) -> Void) async throws -> Void,
        describe: @escaping @Sendable (any Error) -> StartError
    ) throws(StartError) -> Int {
        let ready: @Sendable (Int) -> Void = { port in
            self.state.withLock { $0.port = $0.port ?? port }
            self.settled.raise()
        }
        let task = Task.detached {
            do {
                try await body(ready)
            } catch {
                self.state.withLock { $0.failure = describe(error) }
            }
            self.settled.raise()
            self.ended.raise()
        }
        self.state.withLock { $0.task = task }
        let isSettled = self.settled.wait(milliseconds: milliseconds)
        let outcome = self.state.withLock { ($0.port, $0.failure) }
        if let port = outcome.0 { return port }
        task.cancel()
        if let failure = outcome.1 { throw failure }
        throw .failed(
            part: self.name,
            reason: isSettled ? "it ended at once" : "it was not ready after \(milliseconds) ms"
        )
    }

    /// Cancels the service and waits for its end, at most this long.
    package func stop(milliseconds: Int) {
        self.state.withLock { $0.task }?.cancel()
        _ = self.ended.wait(milliseconds: milliseconds)
    }
}
