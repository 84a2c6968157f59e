// lmcache · SPDX-License-Identifier: Apache-2.0

import Glibc

/// A first-in, first-out queue of limited length between threads.
///
/// Any thread may call any method. A full queue refuses, so that the caller decides what is lost.
package final class BoundedQueue<Element: Sendable>: @unchecked Sendable {  // every field below is guarded by `mutex`
    /// Most elements held at once.
    package let capacity: Int
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>
    private var elements: [Element] = []
    private var head = 0
    private var isClosed = false

    /// Makes an empty, open queue that holds at most `capacity` elements.
    package init(capacity: Int) {
        precondition(capacity > 0, "a queue holds at least one element")
        self.capacity = capacity
        self.mutex = .allocate(capacity: 1)
        self.condition = .allocate(capacity: 1)
        pthread_mutex_init(self.mutex, nil)
        pthread_cond_init(self.condition, nil)
    }

    deinit {
        pthread_cond_destroy(self.condition)
        pthread_mutex_destroy(self.mutex)
        self.condition.deallocate()
        self.mutex.deallocate()
    }

    /// Elements waiting now.
    package var count: Int {
        self.locked { self.elements.count - self.head }
    }

    /// Appends an element and wakes a waiting thread. Returns false, keeping nothing, when full or closed.
    package func push(_ element: Element) -> Bool {
        self.locked {
            guard !self.isClosed, self.elements.count - self.head < self.capacity else { return false }
            self.elements.append(element)
            pthread_cond_signal(self.condition)
            return true
        }
    }

    /// Removes the oldest element, waiting for one. Returns nil once the queue is closed and empty.
    package func pop() -> Element? {
        self.locked {
            while self.elements.count == self.head {
                if self.isClosed { return nil }
                pthread_cond_wait(self.condition, self.mutex)
            }
            return self.takeFirstLocked()
        }
    }

    /// Removes the oldest element if there is one, without waiting.
    package func popIfAny() -> Element? {
        self.locked { self.elements.count == self.head ? nil : self.takeFirstLocked() }
    }

    /// Refuses further elements and lets waiting threads finish what is queued.
    package func close() {
        self.locked {
            self.isClosed = true
            pthread_cond_broadcast(self.condition)
        }
    }

    private func takeFirstLocked() -> Element {
        let element = self.elements[self.head]
        self.head += 1
        // Amortised: the consumed front is cut off once it is the larger part.
        if self.head > 32, self.head * 2 > self.elements.count {
            self.elements.removeFirst(self.head)
            self.head = 0
        } else if self.head == self.elements.count {
            self.elements.removeAll(keepingCapacity: true)
            self.head = 0
        }
        return element
    }

    private func locked<Result>(_ body: () -> Result) -> Result {
        pthread_mutex_lock(self.mutex)
        defer { pthread_mutex_unlock(self.mutex) }
        return body()
    }
}
