// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel

extension ControlLoop {
    /// Sends what other threads queued.
    ///
    /// True when the queue is closed: nothing more will come.
    func sendQueued() -> Bool {
        let (items, isClosed) = self.outbound.takeAll()
        for item in items { self.sendNow(item.frames, to: item.connection) }
        return isClosed
    }

    /// Sends one message, or drops and counts it.
    ///
    /// Control thread.
    func sendNow(_ frames: [[UInt8]], to connection: ConnectionID) {
        guard let identity = self.connections.identity(of: connection) else {
            self.counters.update { $0.droppedGone += 1 }
            return
        }
        let byteCount = frames.reduce(0) { $0 + $1.count }
        let account = self.account(of: connection, for: frames)
        if let waiting = account?.waitingBytes, waiting > 0,
            waiting > self.configuration.sendQueueBytes - byteCount
        {
            self.counters.update { $0.droppedFull += 1 }
            return
        }
        switch self.router.send(frames, to: identity, account: account) {
        case .sent:
            self.counters.update {
                $0.messagesSent += 1
                $0.bytesSent += byteCount
            }
        case .full:
            self.counters.update { $0.droppedFull += 1 }
        case .gone:
            self.counters.update { $0.droppedGone += 1 }
            self.connections.unreachable(connection, now: MonotonicTime.now())
        }
    }

    private func account(of connection: ConnectionID, for frames: [[UInt8]]) -> PeerAccount? {
        guard frames.contains(where: { $0.count >= ZMQSocket.lendingThreshold }) else { return nil }
        if let account = self.accounts[connection] { return account }
        let account = PeerAccount()
        self.accounts[connection] = account
        return account
    }
}
