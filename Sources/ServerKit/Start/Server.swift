// lmcache · SPDX-License-Identifier: Apache-2.0

package import EngineKit
package import Logging

/// The server process from the first check to the last line of the log.
///
/// Order of start: all addresses are checked, then the pool and the engine, then the request endpoints, then HTTP, so
/// that an answer on the HTTP port means that everything serves. Order of stop: transfers in flight are answered, then
/// the same parts backwards.
package struct Server {
    private let endpoints: [ServerEndpoint]
    private let httpAddress: SocketAddress
    private let notices: [String]
    private let parts: any ServerParts
    private let log: Logger

    /// Most time that transfers in flight get at the end.
    package static let drainMilliseconds = 2_000

    /// Resolves and checks every address, before anything costly happens.
    package init(
        configuration: ServerConfiguration,
        parts: any ServerParts,
        log: Logger
    ) throws(StartError) {
        var endpoints: [ServerEndpoint] = []
        for (position, endpoint) in configuration.endpoints.enumerated() {
            endpoints.append(try ServerEndpoint(endpoint, setting: position == 0 ? "--host" : "--bind"))
        }
        let http = try SocketAddress(
            host: configuration.http.host,
            port: configuration.http.port,
            setting: "--http-host"
        )
        for (position, endpoint) in endpoints.enumerated() {
            try endpoint.checkFree(setting: position == 0 ? "--port" : "--bind")
        }
        try http.checkFree(setting: "--http-port")
        self.endpoints = endpoints
        self.httpAddress = http
        self.notices = configuration.notices
        self.parts = parts
        self.log = log
    }

    /// Serves until a signal asks for the end; returns when everything is stopped.
    package func run(until signals: any TerminationSource) throws(StartError) {
        for notice in self.notices { self.log.warning("\(notice)") }
        var order = self.order
        try order.start()
        let signal = signals.wait()
        self.log.info("Received \(signal), draining")
        self.parts.drain(milliseconds: Self.drainMilliseconds)
        order.stop()
        self.log.info("LMCache cache server stopped")
    }

    private var order: StartOrder {
        let parts = self.parts
        return StartOrder([
            .init(
                name: "engine",
                start: { () throws(StartError) in try parts.startEngine() },
                stop: { parts.stopEngine() }
            ),
            .init(
                name: "requests",
                start: { () throws(StartError) in try self.startRequests() },
                stop: { parts.stopRequests() }
            ),
            .init(
                name: "administration",
                start: { () throws(StartError) in try self.startAdministration() },
                stop: { parts.stopAdministration() }
            ),
        ])
    }

    private func startRequests() throws(StartError) {
        let bound = try self.parts.startRequests(on: self.endpoints.map(\.text))
        let shown = bound.map { $0.hasPrefix("tcp://") ? String($0.dropFirst(6)) : $0 }
        self.log.info("LMCache zmq cache server is running on \(shown.joined(separator: ", "))")
        self.log.info("LMCache cache server is running...")
    }

    private func startAdministration() throws(StartError) {
        let port = try self.parts.startAdministration(on: self.httpAddress)
        self.log.info("Ready: HTTP on \(self.httpAddress.withPort(port))")
    }
}
