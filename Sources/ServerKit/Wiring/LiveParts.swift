// lmcache · SPDX-License-Identifier: Apache-2.0

import AdminHTTP
package import EngineKit
import Glibc
import Logging
import Synchronization
package import Telemetry
import ZMQTransport

/// The real parts of a server: the cache, the request server, the HTTP front.
package final class LiveParts: ServerParts {
    private struct Running {
        var engine: (any EngineSide)?
        var router: RouterServer?
        var admin: AdminServer.Running?
    }

    private let configuration: ServerConfiguration
    private let logs: LogSystem
    let registry: MetricsRegistry
    private let metrics: CacheMetrics
    private let running = Mutex(Running())

    /// Nothing is built or bound yet.
    package init(configuration: ServerConfiguration, logs: LogSystem) {
        self.configuration = configuration
        self.logs = logs
        self.registry = MetricsRegistry()
        self.metrics = CacheMetrics(registry: self.registry)
        ProcessMetrics.register(in: self.registry, instanceID: configuration.requests.instanceID ?? "")
    }

    package func startEngine() throws(StartError) {
        let engine = try EngineAssembly.make(
            configuration: self.configuration,
            metrics: self.metrics,
            logs: self.logs,
            userID: getuid()
        )
        self.running.withLock { $0.engine = engine }
    }

    package func startRequests(on endpoints: [String]) throws(StartError) -> [String] {
        let engine = self.startedEngine
        let router: RouterServer
        do {
            router = try RouterServer(configuration: .init(endpoints: endpoints), receiver: engine.receiver)
        } catch {
            switch error {
            case .addressInUse(let endpoint): throw .addressInUse(setting: "--port", address: endpoint)
            default: throw .failed(part: "request server", reason: error.description)
            }
        }
        engine.connect { [weak router] frames, connection in router?.send(frames, to: connection) }
        self.metrics.observeDroppedReplies { [weak router] in
            let counts = router?.statistics()
            return (counts?.droppedFull ?? 0) + (counts?.droppedGone ?? 0)
        }
        router.start()
        self.running.withLock { $0.router = router }
        return router.boundEndpoints
    }

    package func startAdministration(on address: SocketAddress) throws(StartError) -> Int {
        // Without metrics, /metrics still answers, with nothing.
        let shown = self.configuration.observability.areMetricsEnabled ? self.registry : MetricsRegistry()
        let log = self.logs.logger("lmcache.http")
        let server = AdminServer(
            configuration: .init(host: address.host, port: address.port),
            operations: self.startedEngine.operations,
            registry: shown,
            levels: self.logs.levels,
            logger: log
        )
        do {
            let admin = try server.start { log.error("\($0)") }
            self.running.withLock { $0.admin = admin }
            return admin.port
        } catch {
            switch error {
            case .addressInUse: throw .addressInUse(setting: "--http-port", address: address.description)
            default: throw .failed(part: "HTTP front", reason: error.description)
            }
        }
    }

    package func drain(milliseconds: Int) { self.startedEngine.drain(milliseconds: milliseconds) }

    package func stopAdministration() { _ = self.running.withLock { $0.admin }?.stop() }

    package func stopRequests() { self.running.withLock { $0.router }?.stop() }

    package func stopEngine() { self.running.withLock { $0.engine }?.stop() }

    private var startedEngine: any EngineSide {
        guard let engine = self.running.withLock({ $0.engine }) else {
            preconditionFailure("the engine starts before what needs it")
        }
        return engine
    }
}
