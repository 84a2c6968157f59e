// lmcache · SPDX-License-Identifier: Apache-2.0

/// Why the HTTP front does not serve.
package enum AdminServerError: Error, Equatable, CustomStringConvertible {
    /// Another process listens there.
    case addressInUse(host: String, port: Int)
    case cannotListen(host: String, port: Int, reason: String)
    /// It served, and then stopped by itself.
    case failed(reason: String)

    package var description: String {
        switch self {
        case .addressInUse(let host, let port):
            "--http-port \(port): the address \(host):\(port) is in use by another process"
        case .cannotListen(let host, let port, let reason):
            "--http-host \(host) --http-port \(port): cannot listen there: \(reason)"
        case .failed(let reason): "the HTTP front stopped: \(reason)"
        }
    }
}
