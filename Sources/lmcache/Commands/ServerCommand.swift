// lmcache · SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import EngineKit
import ServerKit
import Telemetry

/// `lmcache server`.
struct ServerCommand: ExecutableCommand {
    static let configuration = CommandConfiguration(
        commandName: "server",
        abstract: "Run the cache server: request server and HTTP front end.",
        discussion: """
            Every flag of LMCache's server is taken. What is not built is refused when it is set, and what has no \
            effect here says so. Least that is needed: --l1-size-gb 20 --eviction-policy LRU
            """
    )

    @OptionGroup(title: "Request server") var requests: RequestServerOptions
    @OptionGroup(title: "Liveness") var liveness: LivenessOptions
    @OptionGroup(title: "Pool") var pool: PoolOptions
    @OptionGroup(title: "Eviction and storage") var eviction: EvictionOptions
    @OptionGroup(title: "HTTP") var http: HTTPOptions
    @OptionGroup(title: "Metrics and logs") var observability: ObservabilityOptions
    @OptionGroup(title: "Diagnostic files") var diagnostics: DiagnosticFileOptions
    @OptionGroup(title: "Extensions") var extensions: ExtensionOptions
    @OptionGroup(title: "Peer to peer") var peerToPeer: PeerToPeerOptions
    @OptionGroup(title: "Coordinator") var coordinator: CoordinatorOptions
    @OptionGroup(title: "Report") var report: ReportOptions

    func execute(_ context: CommandContext) -> ExitStatus {
        let signals = TerminationSignals()
        do {
            let launch = ServerLaunch(
                configuration: try self.serverConfiguration(environment: context.environment),
                environment: context.environment
            )
            let server = try launch.server()
            Banner.print(context)
            try server.run(until: signals)
            return .success
        } catch let error as ConfigurationError {
            context.fail(error.description)
            return .usage
        } catch let error as StartError {
            context.fail(error.description)
            return ExitStatus(rawValue: error.exitCode)
        } catch {
            context.fail("\(error)")
            return .failure
        }
    }

    /// The validated settings that flags and environment give.
    func serverConfiguration(environment: [String: String]) throws(ConfigurationError) -> ServerConfiguration {
        var configuration = ServerConfiguration()
        self.requests.apply(to: &configuration)
        self.liveness.apply(to: &configuration)
        self.pool.apply(to: &configuration)
        self.eviction.apply(to: &configuration)
        self.http.apply(to: &configuration)
        self.observability.apply(to: &configuration)
        self.diagnostics.apply(to: &configuration)
        self.extensions.apply(to: &configuration)
        self.peerToPeer.apply(to: &configuration)
        try self.coordinator.apply(to: &configuration, environment: environment)
        try configuration.validate()
        return configuration
    }
}
