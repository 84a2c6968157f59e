// lmcache · SPDX-License-Identifier: Apache-2.0

/// A DEALER socket for one thread at a time: the command line, tests, benchmarks.
///
/// Reconnects by itself. Messages sent while the server is away wait in a queue.
package final class DealerClient {
    /// Where it connects.
    package let endpoint: String

    /// Sets up a connection, which is made in the background.
    ///
    /// - Parameters:
    ///   - endpoint: `tcp://host:port`, `host:port` or `ipc:///path`.
    ///   - lingerMilliseconds: How long `close()` waits for unsent messages.
    ///   - sendTimeoutMilliseconds: How long a send waits for room in the queue.
    package init(
        endpoint: String, lingerMilliseconds: Int = 1_000, sendTimeoutMilliseconds: Int = 5_000
    ) throws(TransportError) {
        self.endpoint = endpoint
    }

    /// Queues one message of at least one frame.
    package func send(_ frames: [[UInt8]]) throws(TransportError) {}

    /// The next message, or nil when none came in time. A negative time waits for ever.
    package func receive(timeoutMilliseconds: Int) throws(TransportError) -> [[UInt8]]? { nil }

    /// Sends `frames` behind a fresh uid frame and waits for the message that starts with that uid.
    ///
    /// - Returns: The reply without its uid frame, or nil when none came in time. Other messages that arrive meanwhile
    ///   are kept for `receive`.
    package func request(
        _ frames: [[UInt8]], timeoutMilliseconds: Int
    ) throws(TransportError) -> [[UInt8]]? { nil }

    /// A uid that this client has not used: a MessagePack unsigned integer in shortest form.
    package func nextUID() -> [UInt8] { [] }

    /// Closes the socket. Later calls of other methods throw `.closed`.
    package func close() {}
}
