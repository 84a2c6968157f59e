// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import Synchronization

/// Where replies go: known only once the request server is bound, which is after the engine was built.
final class ReplyRoute: Sendable {
    typealias Send = @Sendable (_ frames: [[UInt8]], _ connection: ConnectionID) -> Void

    private let target = Mutex<Send?>(nil)

    /// Sets the target. Once, before the first message arrives.
    func connect(_ send: @escaping Send) { self.target.withLock { $0 = send } }

    /// Sends a reply; without a target there is nobody who could have asked.
    func send(_ frames: [[UInt8]], to connection: ConnectionID) {
        self.target.withLock { $0 }?(frames, connection)
    }
}
