// lmcache · SPDX-License-Identifier: Apache-2.0

import Glibc

/// A value that threads change one at a time and whose changes others wait for, up to a limit.
package final class Monitor<Value: Sendable>: @unchecked Sendable {  // `value` is guarded by `mutex`
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>
    private var value: Value

    package init(_ value: Value) {
        self.value = value
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

    /// Changes the value and wakes everybody who waits for a change.
    package func change<Result>(_ body: (inout Value) -> Result) -> Result {
        pthread_mutex_lock(self.mutex)
        defer { pthread_mutex_unlock(self.mutex) }
        defer { pthread_cond_broadcast(self.condition) }
        return body(&self.value)
    }

    /// Asks `body` now and after each change until it gives something; nil when it has not by the limit.
    ///
    /// - Parameters:
    ///   - milliseconds: The limit, not negative; 0 asks once.
    ///   - body: May change the value; that wakes nobody.
    package func wait<Result>(milliseconds: Int64, until body: (inout Value) -> Result?) -> Result? {
        pthread_mutex_lock(self.mutex)
        defer { pthread_mutex_unlock(self.mutex) }
        if let result = body(&self.value) { return result }
        guard milliseconds > 0 else { return nil }
        var deadline = Self.time(after: milliseconds)
        while true {
            let isOver = pthread_cond_timedwait(self.condition, self.mutex, &deadline) == ETIMEDOUT
            if let result = body(&self.value) { return result }
            if isOver { return nil }
        }
    }

    private static func time(after milliseconds: Int64) -> timespec {
        // A century is no limit at all, and cannot overflow.
        let milliseconds = Int(min(milliseconds, 100 * 366 * 86_400_000))
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        let nanoseconds = time.tv_nsec + milliseconds % 1000 * 1_000_000
        time.tv_sec += milliseconds / 1000 + nanoseconds / 1_000_000_000
        time.tv_nsec = nanoseconds % 1_000_000_000
        return time
    }
}
