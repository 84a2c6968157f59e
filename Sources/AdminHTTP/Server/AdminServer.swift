// lmcache · SPDX-License-Identifier: Apache-2.0

import Hummingbird
import HummingbirdCore
package import Logging
import NIOCore
import NIOPosix
import NativeThreads
import ServiceLifecycle
import Synchronization
package import Telemetry

/// The HTTP front: one event loop thread, with handlers on Swift's shared pool.
package final class AdminServer: Sendable {
    package struct Configuration: Sendable {
        package var host: String
        /// 0 lets the system choose; `onListening` tells.
        package var port: Int
        /// The commit this was built from, for `/commit_id`.
        package var commit: String
        /// Longer bodies are answered 413.
        package var maximumBodyBytes: Int
        /// Further connections wait until one closes.
        package var maximumConnections: Int
        /// Connections without a request for this long are closed.
        package var idleSeconds: Int

        package init(
            host: String = "127.0.0.1",
            port: Int = 8080,
            commit: String = "unknown",
            maximumBodyBytes: Int = 2 << 20,
            maximumConnections: Int = 128,
            idleSeconds: Int = 60
        ) {
            self.host = host
            self.port = port
            self.commit = commit
            self.maximumBodyBytes = maximumBodyBytes
            self.maximumConnections = maximumConnections
            self.idleSeconds = idleSeconds
        }
    }

    private enum Phase {
        case idle
        case running(ServiceGroup)
        case stopping
    }

    private let configuration: Configuration
    private let front: AdminFront
    private let logger: Logger
    private let phase = Mutex(Phase.idle)
    private let stopLimit: Duration = .milliseconds(1500)

    package init(
        configuration: Configuration,
        operations: any AdminOperations,
        registry: MetricsRegistry,
        levels: LogLevels,
        logger: Logger
    ) {
        self.configuration = configuration
        self.logger = logger
        self.front = AdminFront(
            AdminFront.Surroundings(
                operations: operations,
                registry: registry,
                levels: levels,
                version: LMCacheVersion.current,
                compatibleWith: LMCacheVersion.compatibleWith,
                commit: configuration.commit,
                logger: logger
            )
        )
    }

    /// Serves until `stop()`, or until the task is cancelled.
    ///
    /// Callable once.
    ///
    /// `onListening` gets the port as soon as connections are accepted, and is never called when listening fails.
    /// Requests in progress are finished after `stop()`, within 1.5 s; idle connections are closed at once.
    package func run(onListening: @escaping @Sendable (Int) -> Void = { _ in }) async throws(AdminServerError) {
        let threads = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let listening = Mutex(false)
        let application = self.application(threads) { port in
            listening.withLock { $0 = true }
            onListening(port)
        }
        var group = ServiceGroupConfiguration(
            services: [.init(service: application)],
            gracefulShutdownSignals: [],
            logger: self.quietLogger
        )
        group.maximumGracefulShutdownDuration = self.stopLimit
        let outcome = await self.run(ServiceGroup(configuration: group))
        try? await threads.shutdownGracefully()
        if case .failure(let error) = outcome {
            throw self.described(error, wasListening: listening.withLock { $0 })
        }
        self.logger.info("LMCache HTTP server stopped")
    }

    /// Asks the running server to stop, and returns at once.
    ///
    /// Before `run`, keeps it from serving.
    package func stop() {
        let group = self.phase.withLock { phase -> ServiceGroup? in
            defer { phase = .stopping }
            if case .running(let group) = phase { return group }
            return nil
        }
        if let group { Task { await group.triggerGracefulShutdown() } }
    }

    private func run(_ group: ServiceGroup) async -> Result<Void, any Error> {
        let mayRun = self.phase.withLock { phase -> Bool in
            guard case .idle = phase else { return false }
            phase = .running(group)
            return true
        }
        guard mayRun else { return .success(()) }
        do {
            try await group.run()
            return .success(())
        } catch {
            let wasAsked = self.phase.withLock { if case .stopping = $0 { true } else { false } }
            return wasAsked || Task.isCancelled ? .success(()) : .failure(error)
        }
    }

    private func application(
        _ threads: MultiThreadedEventLoopGroup,
        onListening: @escaping @Sendable (Int) -> Void
    ) -> some ApplicationProtocol {
        let configuration = self.configuration
        let logger = self.logger
        return Application(
            responder: AdminResponder(
                front: self.front,
                maximumBodyBytes: configuration.maximumBodyBytes,
                logger: logger
            ),
            server: .http1(configuration: .init(idleTimeout: .seconds(Int64(configuration.idleSeconds)))),
            configuration: ApplicationConfiguration(
                address: .hostname(configuration.host, port: configuration.port),
                serverName: "lmcache",
                availableConnectionsDelegate: MaximumAvailableConnections(configuration.maximumConnections)
            ),
            onServerRunning: { channel in
                let port = channel.localAddress?.port ?? configuration.port
                logger.info("Starting LMCache HTTP server on http://\(configuration.host):\(port)")
                onListening(port)
            },
            eventLoopGroupProvider: .shared(threads),
            logger: self.quietLogger
        )
    }

    /// The libraries say at `info` what we say ourselves.
    private var quietLogger: Logger {
        var logger = self.logger
        logger.logLevel = max(logger.logLevel, .warning)
        return logger
    }

    private func described(_ error: any Error, wasListening: Bool) -> AdminServerError {
        let (host, port) = (self.configuration.host, self.configuration.port)
        if wasListening { return .failed(reason: "\(error)") }
        if let error = error as? IOError, error.errnoCode == EADDRINUSE {
            return .addressInUse(host: host, port: port)
        }
        return .cannotListen(host: host, port: port, reason: "\(error)")
    }
}
