// lmcache · SPDX-License-Identifier: Apache-2.0

/// What a ``RouterServer`` has done since it was made.
///
/// Counts only grow, unless said otherwise.
package struct RouterStatistics: Sendable, Equatable {
    /// Connections that sent at least one message.
    package internal(set) var connectionsOpened = 0
    /// Connections reported to the receiver as closed.
    package internal(set) var connectionsClosed = 0
    /// Peers that did not complete the ZMTP handshake.
    package internal(set) var handshakeFailures = 0
    /// Connections that could not be accepted, for lack of descriptors for example.
    package internal(set) var acceptFailures = 0
    /// Messages handed to the receiver.
    package internal(set) var messagesReceived = 0
    /// Bytes of their frames.
    package internal(set) var bytesReceived = 0
    /// Those of `messagesReceived` that were served before others.
    package internal(set) var urgentMessages = 0
    /// Messages thrown away because they had too many frames or bytes.
    package internal(set) var messagesRefused = 0
    /// Times that the control thread stood still for longer than the configuration's limit.
    package internal(set) var stalls = 0
    /// Messages received and not yet served when the server stopped.
    package internal(set) var messagesAbandoned = 0
    /// Messages handed to the library for sending.
    package internal(set) var messagesSent = 0
    /// Bytes of their frames.
    package internal(set) var bytesSent = 0
    /// Messages dropped because the peer's send queue, or the queue between threads, was full.
    package internal(set) var droppedFull = 0
    /// Messages dropped because the peer, or this server, was gone.
    package internal(set) var droppedGone = 0
    /// Messages received and waiting to be served now.
    package internal(set) var waitingMessages = 0

    /// Connections open now.
    package var openConnections: Int { self.connectionsOpened - self.connectionsClosed }
}
