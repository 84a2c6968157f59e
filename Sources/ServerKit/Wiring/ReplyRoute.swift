// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import Synchronization

/// Where replies go: known only once the request server is bound, which is after the engine was built.
final class ReplyRoute: Sendable {
    typealias Send = @Sendable (_ frames: [[UInt8]], _ connection: ConnectionID) -> Void

    /// A struct, because a bare function in a mutex gets another reabstraction thunk each time it is read.
    private struct Target: Sendable {
        let send: Send
    }

    private let target = Mutex<Target?>(nil)

    /// Sets the target. Once, before the first message arrives.
    func connect(_ send: @escaping Send) { self.target.withLock { $0 = Target(send: send) } }

    /// Sends a reply; without a target there is nobody who could have asked.
    func send(_ frames: [[UInt8]], to connection: ConnectionID) {
        self.target.withLock { $0 }?.send(frames, connection)
    }
}
