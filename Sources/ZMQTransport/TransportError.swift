// lmcache · SPDX-License-Identifier: Apache-2.0

/// Why a socket could not be opened or used.
///
/// The text names the endpoint or the call.
package enum TransportError: Error, Equatable, CustomStringConvertible {
    /// Another process listens at the endpoint.
    case addressInUse(endpoint: String)
    /// The endpoint is not one that this server or client accepts.
    case invalidEndpoint(endpoint: String, reason: String)
    /// The system refused to listen at the endpoint.
    case cannotBind(endpoint: String, reason: String)
    /// The client could not be set up for the endpoint. A server that does not run yet is no error.
    case cannotConnect(endpoint: String, reason: String)
    /// A client's send queue stayed full for its send timeout: the server does not read or is not there.
    case sendTimedOut(endpoint: String)
    /// The client was closed before.
    case closed(endpoint: String)
    /// A system or library call failed that fails only when the machine is out of something.
    case system(call: String, reason: String)

    package var description: String {
        switch self {
        case .addressInUse(let endpoint):
            "cannot listen on \(endpoint): the address is already in use by another process"
        case .invalidEndpoint(let endpoint, let reason):
            "endpoint \"\(endpoint)\" is not accepted: \(reason)"
        case .cannotBind(let endpoint, let reason):
            "cannot listen on \(endpoint): \(reason)"
        case .cannotConnect(let endpoint, let reason):
            "cannot connect to \(endpoint): \(reason)"
        case .sendTimedOut(let endpoint):
            "cannot send to \(endpoint): the send queue is full"
        case .closed(let endpoint):
            "the client of \(endpoint) is closed"
        case .system(let call, let reason):
            "\(call) failed: \(reason)"
        }
    }
}
