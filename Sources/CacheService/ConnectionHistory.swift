// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheProtocol
import KVModel

/// Knows which connections belong to clients that had another one before, and tells each of them so once.
///
/// A client numbers its requests from 0 over its whole life, so a connection that starts with a later number is a
/// reconnection: whatever the client still waits for was lost with the old one. The only thing that makes it give up
/// waiting is a ping that answers false. Seen with vLLM: a lookup lost in a server's crash is otherwise awaited for
/// minutes.
struct ConnectionHistory: Sendable {
    private enum State {
        case first, returned
    }

    private var states: [ConnectionID: State] = [:]

    /// Notes a request. Only the first of a connection counts.
    mutating func requestArrived(on connection: ConnectionID, uid: [UInt8]) {
        guard self.states[connection] == nil else { return }
        // A frame that is no number comes from a client of another kind, which has no such waits.
        self.states[connection] = RequestUID.decode(frame: uid).map { $0 > 0 } == true ? .returned : .first
    }

    /// Whether the client must hear that its old connection was lost. True once a connection.
    mutating func takeNotice(for connection: ConnectionID) -> Bool {
        guard self.states[connection] == .returned else { return false }
        self.states[connection] = .first
        return true
    }

    mutating func connectionClosed(_ connection: ConnectionID) { self.states[connection] = nil }

    /// Connections that are remembered.
    var count: Int { self.states.count }
}
