// lmcache · SPDX-License-Identifier: Apache-2.0

import NativeThreads
import Synchronization

extension AdminServer {
    /// A server that runs in the background of a program made of threads.
    package final class Running: Sendable {
        /// The port that is listened on.
        package let port: Int
        private let server: AdminServer
        private let ended: StopSignal

        init(port: Int, server: AdminServer, ended: StopSignal) {
            self.port = port
            self.server = server
            self.ended = ended
        }

        /// Stops and waits, for two seconds at most.
        ///
        /// Returns false when that was not enough.
        package func stop() -> Bool {
            self.server.stop()
            for _ in 0..<20 where self.ended.wait(milliseconds: 100) { return true }
            return false
        }
    }

    /// Starts serving in the background and returns once connections are accepted.
    ///
    /// Blocks; not for async code.
    ///
    /// `onFailure` is called when the server ends by itself later on.
    package func start(
        onFailure: @escaping @Sendable (AdminServerError) -> Void = { _ in }
    ) throws(AdminServerError) -> Running {
        let state = StartState()
        let ended = StopSignal()
        Task {
            defer { ended.raise() }
            do throws(AdminServerError) {
                try await self.run { state.decide(.success($0)) }
                state.decide(.failure(.failed(reason: "stopped before it listened")))
            } catch {
                if !state.decide(.failure(error)) { onFailure(error) }
            }
        }
        return Running(port: try state.wait(), server: self, ended: ended)
    }
}

/// How a start ended, once that is known.
private final class StartState: Sendable {
    private let outcome = Mutex<Result<Int, AdminServerError>?>(nil)
    private let decided = StopSignal()

    /// Sets the outcome; false when there was one.
    @discardableResult func decide(_ result: Result<Int, AdminServerError>) -> Bool {
        let isFirst = self.outcome.withLock { outcome -> Bool in
            guard outcome == nil else { return false }
            outcome = result
            return true
        }
        self.decided.raise()
        return isFirst
    }

    /// The port, once listening.
    func wait() throws(AdminServerError) -> Int {
        while true {
            _ = self.decided.wait(milliseconds: 1000)
            if let outcome = self.outcome.withLock({ $0 }) { return try outcome.get() }
        }
    }
}
