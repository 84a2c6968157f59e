// lmcache · SPDX-License-Identifier: Apache-2.0

/// Hands out ranges of one address space that can grow at its end.
///
/// Two-level segregated fit: allocating and freeing take constant time, neighbours are merged when freed, and a request
/// fails only when no free range is long enough. Touches no memory. Works in units; offsets and sizes are multiples of
/// it.
struct SpaceAllocator: Sendable {
    /// Names one range in use.
    typealias BlockIndex = UInt32

    private struct Block {
        var start: UInt32
        var count: UInt32
        /// Neighbours by address.
        var previous: UInt32
        var next: UInt32
        /// Neighbours in the free list, or the chain of unused entries.
        var previousFree: UInt32
        var nextFree: UInt32
        var isFree: Bool
    }

    /// Entries looked at in a request's own class before a larger class is cut.
    private static let ownClassAttempts = 8
    private static let none = SizeClasses.none
    /// Largest space, in units.
    static let unitLimit = Int(Int32.max)

    /// Bytes of one unit.
    let unit: Int
    private(set) var totalBytes = 0
    private(set) var usedBytes = 0
    private var blocks: [Block] = []
    private var classes = SizeClasses()
    private var unusedEntry = Self.none
    private var lastBlock = Self.none

    /// Makes an empty space.
    init(unit: Int) {
        precondition(unit > 0, "a unit has at least one byte")
        self.unit = unit
    }

    /// Bytes that an object of `byteCount` occupies, or nil when no space could hold it.
    func rounded(_ byteCount: Int) -> Int? {
        guard byteCount > 0, byteCount <= Self.unitLimit * self.unit else { return nil }
        return (byteCount + self.unit - 1) / self.unit * self.unit
    }

    /// Adds `byteCount` bytes at the end.
    mutating func extend(byteCount: Int) {
        precondition(byteCount > 0 && byteCount % self.unit == 0, "a space grows by whole units")
        let total = (self.totalBytes + byteCount) / self.unit
        precondition(total <= Self.unitLimit, "a space has at most \(Self.unitLimit) units")
        let units = UInt32(byteCount / self.unit)
        if self.lastBlock != Self.none, self.blocks[Int(self.lastBlock)].isFree {
            self.removeFree(self.lastBlock)
            self.blocks[Int(self.lastBlock)].count += units
            self.insertFree(self.lastBlock)
        } else {
            let start = UInt32(self.totalBytes / self.unit)
            let block = self.makeEntry(start: start, count: units, previous: self.lastBlock, next: Self.none)
            if self.lastBlock != Self.none { self.blocks[Int(self.lastBlock)].next = block }
            self.lastBlock = block
            self.insertFree(block)
        }
        self.totalBytes += byteCount
    }

    /// Takes a range of at least `byteCount` bytes, or nil when no free range is long enough.
    mutating func allocate(byteCount: Int) -> BlockIndex? {
        guard let bytes = self.rounded(byteCount) else { return nil }
        let units = UInt32(bytes / self.unit)
        guard let block = self.fittingBlock(units) else { return nil }
        self.removeFree(block)
        let surplus = self.blocks[Int(block)].count - units
        if surplus > 0 {
            let next = self.blocks[Int(block)].next
            let start = self.blocks[Int(block)].start + units
            let rest = self.makeEntry(start: start, count: surplus, previous: block, next: next)
            if next == Self.none { self.lastBlock = rest } else { self.blocks[Int(next)].previous = rest }
            self.blocks[Int(block)].next = rest
            self.blocks[Int(block)].count = units
            self.insertFree(rest)
        }
        self.usedBytes += bytes
        return block
    }

    /// Gives a range back.
    ///
    /// - Precondition: `block` came from `allocate` and was not freed since.
    mutating func free(_ block: BlockIndex) {
        precondition(!self.blocks[Int(block)].isFree, "a range is freed once")
        self.usedBytes -= Int(self.blocks[Int(block)].count) * self.unit
        var merged = block
        let next = self.blocks[Int(block)].next
        if next != Self.none, self.blocks[Int(next)].isFree {
            self.removeFree(next)
            self.absorb(next, into: merged)
        }
        let previous = self.blocks[Int(block)].previous
        if previous != Self.none, self.blocks[Int(previous)].isFree {
            self.removeFree(previous)
            self.absorb(merged, into: previous)
            merged = previous
        }
        self.insertFree(merged)
    }

    /// Bytes from the start of the space.
    func offset(of block: BlockIndex) -> Int { Int(self.blocks[Int(block)].start) * self.unit }

    /// Bytes that the range occupies.
    func size(of block: BlockIndex) -> Int { Int(self.blocks[Int(block)].count) * self.unit }

    private func fittingBlock(_ units: UInt32) -> BlockIndex? {
        let own = SizeClasses.index(of: units)
        if let block = self.firstFit(units, inClass: own, attempts: Self.ownClassAttempts) { return block }
        if let larger = self.classes.firstFilled(after: own) { return self.classes[larger] }
        return self.firstFit(units, inClass: own, attempts: .max)
    }

    private func firstFit(_ units: UInt32, inClass index: Int, attempts: Int) -> BlockIndex? {
        var block = self.classes[index]
        var remaining = attempts
        while block != Self.none, remaining > 0 {
            if self.blocks[Int(block)].count >= units { return block }
            block = self.blocks[Int(block)].nextFree
            remaining -= 1
        }
        return nil
    }

    private mutating func insertFree(_ block: BlockIndex) {
        let index = SizeClasses.index(of: self.blocks[Int(block)].count)
        let head = self.classes[index]
        self.blocks[Int(block)].isFree = true
        self.blocks[Int(block)].previousFree = Self.none
        self.blocks[Int(block)].nextFree = head
        if head != Self.none { self.blocks[Int(head)].previousFree = block }
        self.classes[index] = block
    }

    private mutating func removeFree(_ block: BlockIndex) {
        let entry = self.blocks[Int(block)]
        if entry.previousFree == Self.none {
            self.classes[SizeClasses.index(of: entry.count)] = entry.nextFree
        } else {
            self.blocks[Int(entry.previousFree)].nextFree = entry.nextFree
        }
        if entry.nextFree != Self.none { self.blocks[Int(entry.nextFree)].previousFree = entry.previousFree }
        self.blocks[Int(block)].isFree = false
    }

    /// Appends `block`, the next by address, to `other`; its entry becomes unused.
    private mutating func absorb(_ block: BlockIndex, into other: BlockIndex) {
        let next = self.blocks[Int(block)].next
        self.blocks[Int(other)].count += self.blocks[Int(block)].count
        self.blocks[Int(other)].next = next
        if next == Self.none { self.lastBlock = other } else { self.blocks[Int(next)].previous = other }
        self.blocks[Int(block)].nextFree = self.unusedEntry
        self.blocks[Int(block)].count = 0
        self.unusedEntry = block
    }

    private mutating func makeEntry(start: UInt32, count: UInt32, previous: UInt32, next: UInt32) -> BlockIndex {
        let entry = Block(
            start: start,
            count: count,
            previous: previous,
            next: next,
            previousFree: Self.none,
            nextFree: Self.none,
            isFree: false
        )
        guard self.unusedEntry != Self.none else {
            self.blocks.append(entry)
            return BlockIndex(self.blocks.count - 1)
        }
        let index = self.unusedEntry
        self.unusedEntry = self.blocks[Int(index)].nextFree
        self.blocks[Int(index)] = entry
        return index
    }
}

extension SpaceAllocator {
    /// Every range by address, for tests and health checks: offset, bytes, whether it is free.
    var ranges: [(offset: Int, byteCount: Int, isFree: Bool)] {
        var result: [(offset: Int, byteCount: Int, isFree: Bool)] = []
        var block = self.lastBlock
        while block != Self.none {
            let entry = self.blocks[Int(block)]
            result.append((Int(entry.start) * self.unit, Int(entry.count) * self.unit, entry.isFree))
            block = entry.previous
        }
        return result.reversed()
    }

    /// True when the ranges tile the space, no two free ones touch, the lists hold just the free ones, and sums agree.
    var isConsistent: Bool {
        var position = 0
        var used = 0
        var freeRanges = 0
        var wasFree = false
        for range in self.ranges {
            guard range.offset == position, range.byteCount > 0, !(range.isFree && wasFree) else { return false }
            position += range.byteCount
            used += range.isFree ? 0 : range.byteCount
            freeRanges += range.isFree ? 1 : 0
            wasFree = range.isFree
        }
        return position == self.totalBytes && used == self.usedBytes && freeRanges == self.listedRanges
    }

    private var listedRanges: Int? {
        var count = 0
        var index: Int? = self.classes.firstFilled(after: 0)
        while let current = index {
            var block = self.classes[current]
            var previous = Self.none
            while block != Self.none {
                let entry = self.blocks[Int(block)]
                let isPlaced = SizeClasses.index(of: entry.count) == current && entry.previousFree == previous
                guard entry.isFree, isPlaced else { return nil }
                count += 1
                previous = block
                block = entry.nextFree
            }
            index = self.classes.firstFilled(after: current)
        }
        return count
    }
}
