// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel

/// A ROUTER socket on a thread of its own.
///
/// One control thread owns the socket, serves messages by calling the receiver, and sends. Other threads hand it what
/// they want sent through a locked queue. Nothing here knows an operation.
package final class RouterServer: Sendable {
    /// What a server is made of.
    package struct Configuration: Sendable {
        /// Where to listen: `tcp://host:port` (port `*` or 0 lets the system choose) or `ipc:///path`; at least one.
        package var endpoints: [String]
        /// Largest frame, and largest message, that is accepted. A client that sends a larger frame is cut off.
        package var maximumMessageBytes: Int
        /// Most frames of a message; one with more is thrown away.
        package var maximumFrames: Int
        /// Most messages that wait for one client to read them.
        package var sendQueueLimit: Int
        /// Most bytes of large frames that wait for one client to read them. One message always fits.
        package var sendQueueBytes: Int
        /// How long `stop()` waits for clients to take their last replies. At most 1,000 are used.
        package var lingerMilliseconds: Int
        /// Name of the control thread.
        package var name: String

        /// Sets everything but the endpoints to its default.
        package init(
            endpoints: [String],
            maximumMessageBytes: Int = 1 << 30,
            maximumFrames: Int = 256,
            sendQueueLimit: Int = 1_000,
            sendQueueBytes: Int = 2 << 30,
            lingerMilliseconds: Int = 1_000,
            name: String = "lmc-control"
        ) {
            self.endpoints = endpoints
            self.maximumMessageBytes = maximumMessageBytes
            self.maximumFrames = maximumFrames
            self.sendQueueLimit = sendQueueLimit
            self.sendQueueBytes = sendQueueBytes
            self.lingerMilliseconds = lingerMilliseconds
            self.name = name
        }
    }

    /// Where the server listens, ports resolved, in the order of the configuration.
    package let boundEndpoints: [String]

    /// Binds every endpoint. Clients may connect from now on; they are served after `start()`.
    package init(configuration: Configuration, receiver: any MessageReceiver) throws(TransportError) {
        self.boundEndpoints = []
    }

    /// Starts the control thread. Call it once.
    package func start() {}

    /// Sends a message to one client. Any thread; never blocks.
    ///
    /// On the control thread it goes out at once, from others in the order of the calls. A message to a client that is
    /// gone or whose queue is full is dropped and counted.
    package func send(_ frames: [[UInt8]], to connection: ConnectionID) {}

    /// The counters now. Any thread.
    package func statistics() -> RouterStatistics { RouterStatistics() }

    /// Sends what is queued, waits at most the linger time for clients to take it, and closes. Any thread but the
    /// control thread; later calls do nothing.
    package func stop() {}
}
