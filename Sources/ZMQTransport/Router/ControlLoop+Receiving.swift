// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel

extension ControlLoop {
    /// Most messages taken off the socket between two calls of the receiver.
    private static let drainLimit = 256

    private struct Parts {
        var frames: [[UInt8]] = []
        var byteCount = 0
        var descriptor: Int32 = -1
        var isRefused = false
    }

    /// Takes what has arrived off the socket: urgent messages are served, the others queued.
    ///
    /// True when the socket was found empty.
    @discardableResult
    func drainSocket() -> Bool {
        let begin = MonotonicTime.now()
        let uptime = self.uptime()
        var isEmpty = false
        for _ in 0..<Self.drainLimit where !self.inbound.isFull {
            guard self.router.receive(into: self.frame, waiting: false) else {
                self.emptySince = begin
                self.stalls.foundEmpty(since: uptime)
                isEmpty = true
                break
            }
            let identity = self.frame.copyBytes()
            let parts = self.readFrames()
            self.take(parts, of: identity)
        }
        let waiting = self.inbound.messageCount
        self.counters.update { $0.waitingMessages = waiting }
        return isEmpty
    }

    /// Marks what waits as stale when the thread stood still since it last came here.
    func noticeStall() {
        guard self.stalls.turn(now: self.uptime()) else { return }
        self.inbound.markStale()
        self.counters.update { $0.stalls += 1 }
    }

    /// Reads the monitor's events into the table.
    func readEvents() {
        while let event = self.monitor.next() {
            let now = MonotonicTime.now()
            switch event {
            case .accepted(let descriptor): self.connections.accepted(descriptor: descriptor, now: now)
            case .disconnected(let descriptor): self.connections.disconnected(descriptor: descriptor, now: now)
            case .handshakeFailed: self.counters.update { $0.handshakeFailures += 1 }
            case .acceptFailed: self.counters.update { $0.acceptFailures += 1 }
            }
        }
    }

    /// Queues the news of connections that ended, behind their last messages.
    func settleConnections() {
        guard self.connections.hasEnding else { return }
        for id in self.connections.settle(emptySince: self.emptySince, now: MonotonicTime.now()) {
            self.inbound.append(.closed(id))
        }
    }

    /// Reads the frames behind an identity frame, and throws all away when they are too many or too large.
    private func readFrames() -> Parts {
        var parts = Parts()
        while self.frame.hasMore, self.router.receive(into: self.frame, waiting: false) {
            if parts.descriptor < 0 { parts.descriptor = self.frame.sourceDescriptor }
            let (byteCount, overflows) = parts.byteCount.addingReportingOverflow(self.frame.count)
            if overflows || byteCount > self.configuration.maximumMessageBytes
                || parts.frames.count >= self.configuration.maximumFrames
            {
                parts.isRefused = true
                parts.frames = []
            }
            if parts.isRefused { continue }
            parts.byteCount = byteCount
            parts.frames.append(self.frame.copyBytes())
        }
        return parts
    }

    private func take(_ parts: Parts, of identity: [UInt8]) {
        if parts.isRefused {
            self.counters.update { $0.messagesRefused += 1 }
            return
        }
        let id = self.connection(of: identity, descriptor: parts.descriptor)
        let message = InboundMessage(connection: id, frames: parts.frames, isStale: self.stalls.isSocketStale)
        let isUrgent = self.receiver.arrived(message)
        self.counters.update {
            $0.messagesReceived += 1
            $0.bytesReceived += parts.byteCount
            if isUrgent { $0.urgentMessages += 1 }
        }
        if isUrgent {
            self.receiver.received(message)
        } else {
            self.inbound.append(.message(message, byteCount: parts.byteCount))
        }
    }

    private func connection(of identity: [UInt8], descriptor: Int32) -> ConnectionID {
        if let id = self.connections.connection(identity: identity, descriptor: descriptor) { return id }
        self.readEvents()
        let admitted = self.connections.admit(identity: identity, descriptor: descriptor, now: MonotonicTime.now())
        if admitted.isNew { self.counters.update { $0.connectionsOpened += 1 } }
        return admitted.id
    }
}
