// lmcache · SPDX-License-Identifier: Apache-2.0

import Glibc
import Synchronization

/// A value behind a lock whose changes can be waited for.
final class Watched<Value: Sendable>: @unchecked Sendable {  // `value` is guarded by `mutex`
    private let mutex: UnsafeMutablePointer<pthread_mutex_t> = .allocate(capacity: 1)
    private let condition: UnsafeMutablePointer<pthread_cond_t> = .allocate(capacity: 1)
    private var value: Value

    init(_ value: Value) {
        self.value = value
        pthread_mutex_init(self.mutex, nil)
        pthread_cond_init(self.condition, nil)
    }

    deinit {
        pthread_cond_destroy(self.condition)
        pthread_mutex_destroy(self.mutex)
        self.condition.deallocate()
        self.mutex.deallocate()
    }

    var current: Value { self.update { $0 } }

    @discardableResult
    func update<Result>(_ change: (inout Value) -> Result) -> Result {
        pthread_mutex_lock(self.mutex)
        defer {
            pthread_cond_broadcast(self.condition)
            pthread_mutex_unlock(self.mutex)
        }
        return change(&self.value)
    }

    /// Waits until the condition holds.
    ///
    /// False when it does not within `seconds`.
    func wait(seconds: Int = 20, until holds: (Value) -> Bool) -> Bool {
        var deadline = timespec()
        clock_gettime(CLOCK_REALTIME, &deadline)
        deadline.tv_sec += seconds
        pthread_mutex_lock(self.mutex)
        defer { pthread_mutex_unlock(self.mutex) }
        while !holds(self.value) {
            if pthread_cond_timedwait(self.condition, self.mutex, &deadline) == ETIMEDOUT { return holds(self.value) }
        }
        return true
    }
}
