// lmcache · SPDX-License-Identifier: Apache-2.0

import CZeroMQ
import Glibc

/// The ROUTER socket and where it listens.
final class Listeners {
    let router: ZMQSocket
    /// In the order of the configuration, ports resolved.
    private(set) var boundEndpoints: [String] = []
    private var files: [SocketFile] = []
    private var isClosed = false

    init(configuration: RouterServer.Configuration, context: ZMQContext) throws(TransportError) {
        self.router = try context.openSocket(ZMQ_ROUTER)
        self.router.set(ZMQ_LINGER, to: 0)
        self.router.set(ZMQ_ROUTER_MANDATORY, to: 1)
        self.router.set(ZMQ_SNDHWM, to: max(configuration.sendQueueLimit, 1))
        self.router.setMaximumMessageBytes(max(configuration.maximumMessageBytes, 1))
        // An engine host that vanished without a word would otherwise keep its connection for ever.
        self.router.set(ZMQ_TCP_KEEPALIVE, to: 1)
        self.router.set(ZMQ_TCP_KEEPALIVE_IDLE, to: 60)
        self.router.set(ZMQ_TCP_KEEPALIVE_INTVL, to: 15)
        self.router.set(ZMQ_TCP_KEEPALIVE_CNT, to: 4)
    }

    deinit { self.close(lingerMilliseconds: 0) }

    /// Binds all endpoints, or none: on an error the ones bound so far are released with this object.
    func bindAll(_ endpoints: [String]) throws(TransportError) {
        guard !endpoints.isEmpty else {
            throw .invalidEndpoint(endpoint: "", reason: "at least one endpoint to listen on is needed")
        }
        for text in endpoints {
            switch try Endpoint(parsing: text) {
            case .ipc(let path): try self.bindFile(path, endpoint: text)
            case .tcp(let host, let port): try self.bindPort(host: host, port: port, endpoint: text)
            }
        }
    }

    func close(lingerMilliseconds: Int) {
        // First the files: who comes now waits for the next server.
        for file in self.files { file.remove() }
        self.files = []
        if !self.isClosed { self.router.set(ZMQ_LINGER, to: lingerMilliseconds) }
        self.isClosed = true
        self.router.close()
    }

    private func bindFile(_ path: String, endpoint: String) throws(TransportError) {
        let file = try SocketFile(listeningAt: path, endpoint: endpoint)
        self.router.set(ZMQ_USE_FD, to: Int(file.descriptor))
        let fault = self.router.bind("ipc://\(path)")
        self.router.set(ZMQ_USE_FD, to: -1)
        if let fault {
            file.remove()
            Glibc.close(file.descriptor)
            throw .cannotBind(endpoint: endpoint, reason: fault.text)
        }
        self.files.append(file)
        self.boundEndpoints.append("ipc://\(path)")
    }

    private func bindPort(host: String, port: UInt16, endpoint: String) throws(TransportError) {
        let resolved = Endpoint.tcp(host: HostResolution.numericAddress(of: host), port: port)
        self.router.set(ZMQ_IPV6, to: resolved.isIPv6 ? 1 : 0)
        if let fault = self.router.bind(resolved.libraryText) {
            if fault.number == EADDRINUSE { throw .addressInUse(endpoint: endpoint) }
            throw .cannotBind(endpoint: endpoint, reason: fault.text)
        }
        self.boundEndpoints.append(self.router.lastEndpoint ?? resolved.libraryText)
    }
}
