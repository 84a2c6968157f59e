// lmcache · SPDX-License-Identifier: Apache-2.0

package import L2Storage
internal import Synchronization

/// Keeps what an adapter says.
package final class Messages: Sendable {
    private let lines = Mutex<[String]>([])

    package init() {}

    package var all: [String] { self.lines.withLock { $0 } }

    package var log: L2Log { L2Log { line in self.lines.withLock { $0.append(line) } } }
}
