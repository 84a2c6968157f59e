// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel
import NativeThreads
import Synchronization

/// A ROUTER socket on a thread of its own.
///
/// One control thread owns the socket, serves messages by calling the receiver, and sends. Other threads hand it what
/// they want sent through a locked queue. Nothing here knows an operation.
package final class RouterServer: Sendable {
    /// What a server is made of.
    package struct Configuration: Sendable {
        /// Where to listen: `tcp://host:port` (port `*` or 0 lets the system choose) or `ipc:///path`; at least one.
        package var endpoints: [String]
        /// Largest frame, and largest message, that is accepted.
        ///
        /// A client that sends a larger frame is cut off.
        package var maximumMessageBytes: Int
        /// Most frames of a message; one with more is thrown away.
        package var maximumFrames: Int
        /// Most messages that wait for one client to read them.
        package var sendQueueLimit: Int
        /// Most bytes of large frames that wait for one client to read them.
        ///
        /// One message always fits.
        package var sendQueueBytes: Int
        /// How long `stop()` waits for clients to take their last replies.
        ///
        /// At most 1,000 are used.
        package var lingerMilliseconds: Int
        /// A longer time between two turns of the control thread makes what waits stale.
        ///
        /// Below the ten seconds after which an engine's heartbeat gives up.
        package var stallLimit: Duration
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
            stallLimit: Duration = .seconds(5),
            name: String = "lmc-control"
        ) {
            self.endpoints = endpoints
            self.maximumMessageBytes = maximumMessageBytes
            self.maximumFrames = maximumFrames
            self.sendQueueLimit = sendQueueLimit
            self.sendQueueBytes = sendQueueBytes
            self.lingerMilliseconds = lingerMilliseconds
            self.stallLimit = stallLimit
            self.name = name
        }
    }

    /// Where the server listens, ports resolved, in the order of the configuration.
    package let boundEndpoints: [String]

    /// Messages of other threads that wait for the control thread; far more than it ever falls behind.
    private static let outboundCapacity = 65_536

    private enum Life {
        case ready
        case running(NativeThread)
        case stopped
    }

    private let loop: ControlLoop
    private let life = Mutex(Life.ready)
    private let outbound: OutboundQueue
    private let counters = RouterCounters()

    /// Binds every endpoint.
    ///
    /// Clients may connect from now on; they are served after `start()`.
    ///
    /// - Parameter uptime: Time since any fixed moment, stopped time included; tells stalls.
    package init(
        configuration: Configuration,
        receiver: any MessageReceiver,
        uptime: @escaping @Sendable () -> Duration = UptimeClock.now
    ) throws(TransportError) {
        self.outbound = try OutboundQueue(capacity: Self.outboundCapacity)
        self.loop = try ControlLoop(
            configuration: configuration,
            receiver: receiver,
            outbound: self.outbound,
            counters: self.counters,
            uptime: uptime
        )
        self.boundEndpoints = self.loop.listeners.boundEndpoints
    }

    /// Starts the control thread.
    ///
    /// Does nothing after `stop()`; call it once.
    package func start() {
        self.life.withLock { life in
            guard case .ready = life else { return }
            let loop = self.loop
            life = .running(NativeThread(name: loop.configuration.name) { loop.run() })
        }
    }

    /// Sends a message of at least one frame to one client.
    ///
    /// Any thread; never blocks.
    ///
    /// On the control thread it goes out at once, from others in the order of the calls. A message to a client that is
    /// gone or whose queue is full is dropped and counted.
    package func send(_ frames: [[UInt8]], to connection: ConnectionID) {
        precondition(!frames.isEmpty, "a message has at least one frame")
        if self.loop.isCurrentThread {
            self.loop.sendNow(frames, to: connection)
            return
        }
        switch self.outbound.push(OutboundQueue.Item(frames: frames, connection: connection)) {
        case .queued: break
        case .full: self.counters.update { $0.droppedFull += 1 }
        case .closed: self.counters.update { $0.droppedGone += 1 }
        }
    }

    /// The counters now.
    ///
    /// Any thread.
    package func statistics() -> RouterStatistics { self.counters.snapshot }

    /// Serves what clients have sent, for at most 300 ms, waits at most the linger time for clients to take the replies,
    /// and closes.
    ///
    /// Any thread but the control thread; later calls do nothing. Other threads' messages are refused from here on.
    package func stop() {
        precondition(!self.loop.isCurrentThread, "the control thread cannot wait for itself")
        let before = self.life.withLock { life in
            defer { life = .stopped }
            return life
        }
        switch before {
        case .ready:
            self.outbound.close()
            self.loop.shutDown()
        case .running(let thread):
            self.outbound.close()
            thread.join()
        case .stopped: break
        }
    }
}
