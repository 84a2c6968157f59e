// lmcache · SPDX-License-Identifier: Apache-2.0

import CSystemShims
import CZeroMQ
import Glibc
import KVModel
import Synchronization

/// Everything the control thread owns, and its loop.
///
/// Used by the thread that makes it, then by the control thread only (starting a thread is the barrier between them).
final class ControlLoop: @unchecked Sendable {
    /// Time between two calls of `tick()`.
    static let tickInterval = Duration.milliseconds(100)
    /// Most time for what clients sent before the end.
    private static let restLimit = Duration.milliseconds(300)
    /// How long the socket must stay empty then: the library may be about to hand over what the kernel holds.
    private static let restPauseMilliseconds = 20

    private let context: ZMQContext
    let listeners: Listeners
    let monitor: SocketMonitor
    let outbound: OutboundQueue
    let counters: RouterCounters
    let receiver: any MessageReceiver
    let configuration: RouterServer.Configuration
    let frame = ZMQFrame()
    var connections = ConnectionTable()
    var inbound = InboundQueue()
    var accounts: [ConnectionID: PeerAccount] = [:]
    /// When the last search of the socket began that found it empty at its end.
    var emptySince: Duration?
    let uptime: @Sendable () -> Duration
    var stalls: StallWatch
    private var nextTick: Duration
    /// The control thread while it runs, else 0.
    private let thread = Atomic<pthread_t>(0)
    private let pollItems: UnsafeMutablePointer<zmq_pollitem_t>

    private static let pollCount = 3

    var router: ZMQSocket { self.listeners.router }

    init(
        configuration: RouterServer.Configuration,
        receiver: any MessageReceiver,
        outbound: OutboundQueue,
        counters: RouterCounters,
        uptime: @escaping @Sendable () -> Duration
    ) throws(TransportError) {
        let context = try ZMQContext()
        let listeners = try Listeners(configuration: configuration, context: context)
        self.context = context
        self.listeners = listeners
        self.monitor = try SocketMonitor(watching: listeners.router, context: context)
        try listeners.bindAll(configuration.endpoints)
        self.outbound = outbound
        self.counters = counters
        self.receiver = receiver
        self.configuration = configuration
        self.uptime = uptime
        self.stalls = StallWatch(limit: configuration.stallLimit, now: uptime())
        self.nextTick = MonotonicTime.now() + Self.tickInterval
        self.pollItems = .allocate(capacity: Self.pollCount)
        self.pollItems.initialize(repeating: zmq_pollitem_t(), count: Self.pollCount)
        self.watch(0, socket: listeners.router.handle, descriptor: 0)
        self.watch(1, socket: nil, descriptor: outbound.wakeUpDescriptor)
        self.watch(2, socket: self.monitor.socket.handle, descriptor: 0)
    }

    deinit { self.pollItems.deallocate() }

    private func watch(_ index: Int, socket: UnsafeMutableRawPointer?, descriptor: Int32) {
        self.pollItems[index].socket = socket
        self.pollItems[index].fd = descriptor
        self.pollItems[index].events = Int16(ZMQ_POLLIN)
    }

    /// Whether the caller is the control thread.
    ///
    /// Any thread.
    var isCurrentThread: Bool { self.thread.load(ordering: .relaxed) == pthread_self() }

    /// The body of the control thread.
    func run() {
        self.thread.store(pthread_self(), ordering: .relaxed)
        self.prepareThread()
        // It may have been made long before.
        self.stalls = StallWatch(limit: self.configuration.stallLimit, now: self.uptime())
        while true {
            self.waitForWork()
            self.noticeStall()
            if self.pollItems[1].revents != 0 { lmc_eventfd_drain(self.outbound.wakeUpDescriptor) }
            if self.pollItems[2].revents != 0 { self.readEvents() }
            let isClosed = self.sendQueued()
            if isClosed { break }
            self.drainSocket()
            self.settleConnections()
            self.serveOne()
            self.tickIfDue()
        }
        self.serveRest()
        self.shutDown()
        // The number may be given to another thread after this one.
        self.thread.store(0, ordering: .relaxed)
    }

    /// Sends what is queued, closes everything and waits for the linger time.
    ///
    /// Call it once, when the queue is closed.
    func shutDown() {
        _ = self.sendQueued()
        self.counters.update { $0.messagesAbandoned += self.inbound.messageCount }
        self.inbound = InboundQueue()
        self.monitor.socket.close()
        self.listeners.close(lingerMilliseconds: min(max(self.configuration.lingerMilliseconds, 0), 1_000))
        self.context.terminate()
    }

    /// Answers what clients have sent before the end: one of them may wait for a reply that nobody else will give.
    private func serveRest() {
        let deadline = MonotonicTime.now() + Self.restLimit
        repeat {
            self.noticeStall()
            self.readEvents()
            let isEmpty = self.drainSocket()
            while !self.inbound.isEmpty, MonotonicTime.now() < deadline { self.serveOne() }
            if isEmpty, zmq_poll(self.pollItems, 1, Self.restPauseMilliseconds) <= 0 { return }
        } while MonotonicTime.now() < deadline
    }

    private func waitForWork() {
        var milliseconds = 0
        if self.inbound.isEmpty {
            let left = self.nextTick - MonotonicTime.now()
            milliseconds = max(0, Int(left / .milliseconds(1)) + 1)
        }
        // An interrupted wait is a short one: the loop comes back here.
        if zmq_poll(self.pollItems, Int32(Self.pollCount), milliseconds) < 0 {
            for index in 0..<Self.pollCount { self.pollItems[index].revents = 0 }
        }
    }

    private func serveOne() {
        // Right before: the thread may have been stopped since it took the message.
        self.noticeStall()
        guard let entry = self.inbound.popFirst() else { return }
        switch entry {
        case .message(let message, _):
            let waiting = self.inbound.messageCount
            self.counters.update { $0.waitingMessages = waiting }
            self.receiver.received(message)
        case .closed(let connection):
            self.accounts[connection] = nil
            self.counters.update { $0.connectionsClosed += 1 }
            self.receiver.connectionClosed(connection)
        }
    }

    private func tickIfDue() {
        let now = MonotonicTime.now()
        guard now >= self.nextTick else { return }
        self.nextTick = now + Self.tickInterval
        self.receiver.tick()
    }

    private func prepareThread() {
        // Signals are for the main thread; here they would only cut waits short.
        var signals = sigset_t()
        sigfillset(&signals)
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        // Needs a privilege; without it the thread just shares the cores evenly.
        lmc_thread_set_nice(lmc_thread_id(), -10)
    }
}
