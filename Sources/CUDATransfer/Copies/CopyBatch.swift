// lmcache · SPDX-License-Identifier: Apache-2.0

/// A part of a transfer that one slot of a staging ring holds.
struct CopyBatch: Equatable {
    /// One piece of a page and its place in the arena.
    struct Fragment: Equatable {
        /// Device address.
        let page: UInt64
        let arenaOffset: Int
        let slotOffset: Int
        let byteCount: Int
        /// Index into the plan's shapes; nil for one run of bytes.
        let shape: Int?
    }

    /// Bytes that lie together both in the arena and in the slot.
    struct Run: Equatable {
        let arenaOffset: Int
        let slotOffset: Int
        var byteCount: Int
    }

    /// In object order.
    var fragments: [Fragment] = []
    /// The same bytes; no fragment crosses from one run into the next.
    var runs: [Run] = []
    /// Bytes of the slot that are used, gaps included.
    var slotByteCount = 0

    var isEmpty: Bool { self.fragments.isEmpty }
    /// Copied bytes.
    var byteCount: Int { self.runs.reduce(0) { $0 + $1.byteCount } }
}

/// Fills batches with fragments, in order. Pure arithmetic.
struct BatchCutter {
    private let slotByteCount: Int
    private let fragmentLimit: Int
    private(set) var batch = CopyBatch()
    /// Keeps both sides of a fragment alignable: the kernels move 16 bytes at once.
    private static let alignment = 256

    /// - Parameters:
    ///   - slotByteCount: At least ``leastSlotByteCount(forFragment:)`` of the largest fragment.
    ///   - fragmentLimit: Most fragments of a batch.
    init(slotByteCount: Int, fragmentLimit: Int) {
        self.slotByteCount = slotByteCount
        self.fragmentLimit = fragmentLimit
    }

    static func leastSlotByteCount(forFragment byteCount: Int) -> Int { byteCount + 2 * Self.alignment }

    /// Adds one fragment, or the part of a run of bytes that fits.
    ///
    /// - Returns: Bytes added; 0 when the batch is full and must be taken first.
    mutating func add(page: UInt64, arenaOffset: Int, byteCount: Int, shape: Int?) -> Int {
        guard self.batch.fragments.count < self.fragmentLimit else { return 0 }
        let isAdjacent = self.batch.runs.last.map { $0.arenaOffset + $0.byteCount == arenaOffset } ?? false
        let offset = isAdjacent ? self.batch.slotByteCount : self.aligned(for: arenaOffset)
        let room = self.slotByteCount - offset
        let length = shape == nil ? min(byteCount, room) : byteCount
        guard length > 0, length <= room else { return 0 }
        self.batch.fragments.append(
            .init(page: page, arenaOffset: arenaOffset, slotOffset: offset, byteCount: length, shape: shape))
        if isAdjacent {
            self.batch.runs[self.batch.runs.count - 1].byteCount += length
        } else {
            self.batch.runs.append(.init(arenaOffset: arenaOffset, slotOffset: offset, byteCount: length))
        }
        self.batch.slotByteCount = offset + length
        return length
    }

    /// Hands the batch out and begins the next.
    mutating func take() -> CopyBatch {
        defer {
            let count = self.batch.fragments.count
            self.batch = CopyBatch()
            self.batch.fragments.reserveCapacity(count)
        }
        return self.batch
    }

    private func aligned(for arenaOffset: Int) -> Int {
        let mask = Self.alignment - 1
        return (self.batch.slotByteCount + mask) & ~mask | (arenaOffset & mask)
    }
}
