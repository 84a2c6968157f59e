// lmcache · SPDX-License-Identifier: Apache-2.0

/// Why a connection is of no use any more.
enum RESPConnectionError: Error, Equatable, CustomStringConvertible {
    /// No address, or none that takes a connection.
    case unreachable(String)
    /// The server ended the connection, or the system did.
    case ended(String)
    /// Nothing moved for too long, or the deadline passed.
    case timedOut
    /// The server sent something that is no answer.
    case nonsense(String)
    /// The server did not take the user, the database, or another part of the greeting.
    case refused(String)
    /// The secure channel could not be made.
    case insecure(String)

    var description: String {
        switch self {
        case .unreachable(let why): "no connection: \(why)"
        case .ended(let why): "connection ended: \(why)"
        case .timedOut: "no answer in time"
        case .nonsense(let what): "not understood: \(what)"
        case .refused(let why): "the server refused: \(why)"
        case .insecure(let why): "no TLS: \(why)"
        }
    }
}
