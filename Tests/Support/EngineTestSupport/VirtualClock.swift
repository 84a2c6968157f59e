// lmcache · SPDX-License-Identifier: Apache-2.0

import Synchronization

/// A clock that the test moves.
package final class VirtualClock: Sendable {
    private let value: Mutex<Duration>

    package init(_ start: Duration) { self.value = Mutex(start) }

    package var now: Duration { self.value.withLock { $0 } }

    package func advance(_ duration: Duration) { self.value.withLock { $0 += duration } }
}
