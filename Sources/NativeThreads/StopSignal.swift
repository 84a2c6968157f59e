// lmcache · SPDX-License-Identifier: Apache-2.0

import Glibc

/// Lets a periodic thread sleep until its next round or until it is told to stop, whichever comes first.
package final class StopSignal: @unchecked Sendable {  // `isRaised` and `isPoked` are guarded by `mutex`
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>
    private var isRaised = false
    private var isPoked = false

    /// Makes a signal that is not raised.
    package init() {
        self.mutex = .allocate(capacity: 1)
        self.condition = .allocate(capacity: 1)
        pthread_mutex_init(self.mutex, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(self.condition, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(self.condition)
        pthread_mutex_destroy(self.mutex)
        self.condition.deallocate()
        self.mutex.deallocate()
    }

    /// Tells every present and future waiter to stop. Final.
    package func raise() {
        self.locked {
            self.isRaised = true
            pthread_cond_broadcast(self.condition)
        }
    }

    /// Ends one wait early, without stopping.
    package func poke() {
        self.locked {
            self.isPoked = true
            pthread_cond_broadcast(self.condition)
        }
    }

    /// Waits for at most `milliseconds`. Returns true when the waiter must stop, false when its next round is due.
    package func wait(milliseconds: Int) -> Bool {
        self.locked {
            var deadline = timespec()
            clock_gettime(CLOCK_MONOTONIC, &deadline)
            let nanoseconds = deadline.tv_nsec + (milliseconds % 1000) * 1_000_000
            deadline.tv_sec += milliseconds / 1000 + nanoseconds / 1_000_000_000
            deadline.tv_nsec = nanoseconds % 1_000_000_000
            while !self.isRaised, !self.isPoked {
                if pthread_cond_timedwait(self.condition, self.mutex, &deadline) == ETIMEDOUT { break }
            }
            self.isPoked = false
            return self.isRaised
        }
    }

    private func locked<Result>(_ body: () -> Result) -> Result {
        pthread_mutex_lock(self.mutex)
        defer { pthread_mutex_unlock(self.mutex) }
        return body()
    }
}
