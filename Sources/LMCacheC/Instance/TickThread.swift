// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheService
import NativeThreads

/// Does what is due ten times a second where no socket's thread does.
final class TickThread: Sendable {
    private let signal = StopSignal()
    private let thread: NativeThread

    init(service: CacheService) {
        let signal = self.signal
        self.thread = NativeThread(name: "lmc-tick") {
            while !signal.wait(milliseconds: 100) { service.tick() }
        }
    }

    /// Once.
    func stop() {
        self.signal.raise()
        self.thread.join()
    }
}
