// lmcache · SPDX-License-Identifier: Apache-2.0

import L2Storage
import Synchronization

/// Keeps what an adapter says.
final class Messages: Sendable {
    private let lines = Mutex<[String]>([])

    var all: [String] { self.lines.withLock { $0 } }

    var log: L2Log { L2Log { line in self.lines.withLock { $0.append(line) } } }
}
