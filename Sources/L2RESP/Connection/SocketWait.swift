// lmcache · SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import L2Storage

/// Until when a thread waits for a socket.
struct SocketWait {
    let clock: any L2Clock
    /// Longest wait without any byte moving, in milliseconds.
    let stallMilliseconds: Int
    let deadline: L2Instant

    /// Waits with poll(2).
    ///
    /// - Throws: `timedOut` when nothing moved in time.
    func until(
        _ descriptor: Int32, isReadable: Bool, isWritable: Bool
    ) throws(RESPConnectionError) {
        let now = self.clock.now()
        guard now < self.deadline else { throw .timedOut }
        let left = Int(clamping: (self.deadline.nanoseconds - now.nanoseconds) / 1_000_000 + 1)
        let events = (isReadable ? POLLIN : 0) | (isWritable ? POLLOUT : 0)
        var entry = pollfd(fd: descriptor, events: Int16(events), revents: 0)
        let ready = poll(&entry, 1, Int32(clamping: min(left, self.stallMilliseconds)))
        // After a signal the caller tries again and comes back here.
        guard ready != 0 else { throw .timedOut }
        guard ready > 0 || errno == EINTR else { throw .ended(TCPSocket.words(errno)) }
    }
}
