// lmcache · SPDX-License-Identifier: Apache-2.0

/// Which part of a ring of fragments the next list is written to. A pure state machine; counts are fragments.
struct ListPlaces: Equatable {
    struct Place: Equatable {
        let start: Int
        let count: Int
        /// Below the limit; no other place that is taken has it.
        let number: Int
    }

    private let capacity: Int
    private let limit: Int
    /// Oldest first.
    private var taken: [Place] = []
    private var next = 0
    private var nextNumber = 0

    /// - Parameters:
    ///   - capacity: Fragments of the ring.
    ///   - limit: Most lists at once.
    init(capacity: Int, limit: Int) {
        precondition(capacity > 0 && limit > 0, "a ring holds something")
        self.capacity = capacity
        self.limit = limit
    }

    /// Takes a place, or nil when the oldest must be given back first.
    ///
    /// - Parameter count: From 1 to the capacity.
    mutating func take(_ count: Int) -> Place? {
        precondition((1...self.capacity).contains(count), "a list fits the ring")
        guard self.taken.count < self.limit, let start = self.start(of: count) else { return nil }
        let place = Place(start: start, count: count, number: self.nextNumber)
        self.taken.append(place)
        self.next = start + count
        self.nextNumber = (self.nextNumber + 1) % self.limit
        return place
    }

    /// Gives the oldest place back; nil when none is taken.
    mutating func giveBack() -> Place? { self.taken.isEmpty ? nil : self.taken.removeFirst() }

    private func start(of count: Int) -> Int? {
        guard let oldest = self.taken.first?.start else { return 0 }
        // Behind the newest list, or, once that has come around, before the oldest.
        guard self.next > oldest else { return self.next + count <= oldest ? self.next : nil }
        if self.next + count <= self.capacity { return self.next }
        return count <= oldest ? 0 : nil
    }
}
