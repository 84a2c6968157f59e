// lmcache · SPDX-License-Identifier: Apache-2.0

/// Notices that the device's thread stood still, and tells which transfers must not run after that.
///
/// An engine that heard nothing for so long has given its transfers up and uses the blocks for other requests. A pure
/// state machine; times are since any fixed moment, stopped time included.
struct DeviceStallWatch {
    private let limit: Duration
    private var lastStep = Duration.zero
    /// End of the latest stall.
    private var endedAt: Duration?

    /// - Parameter limit: A longer time between two steps is a stall.
    init(limit: Duration) { self.limit = limit }

    /// The thread takes a transfer up. False when a stall ended after it was queued.
    ///
    /// - Parameter queuedAt: The thread may have been idle until then.
    mutating func begin(queuedAt: Duration, now: Duration) -> Bool {
        self.lastStep = max(self.lastStep, queuedAt)
        _ = self.step(now: now)
        return self.endedAt.map { queuedAt > $0 } ?? true
    }

    /// The thread goes on with its transfer. False when it stood still since its last step.
    mutating func step(now: Duration) -> Bool {
        let isStall = now - self.lastStep > self.limit
        self.lastStep = now
        if isStall { self.endedAt = now }
        return !isStall
    }
}
