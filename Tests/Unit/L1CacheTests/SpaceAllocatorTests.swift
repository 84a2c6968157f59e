// lmcache · SPDX-License-Identifier: Apache-2.0

import Testing

@testable import L1Cache

@Suite struct SpaceAllocatorTests {
    /// The same space as one truth value a unit.
    struct NaiveSpace {
        var isTaken: [Bool] = []

        func hasRun(of units: Int) -> Bool {
            var run = 0
            for taken in self.isTaken {
                run = taken ? 0 : run + 1
                if run >= units { return true }
            }
            return false
        }
    }

    struct Pair {
        var space = SpaceAllocator(unit: 4096)
        var naive = NaiveSpace()
        var live: [UInt32] = []

        mutating func extend(_ units: Int) {
            self.space.extend(byteCount: units * 4096)
            self.naive.isTaken += Array(repeating: false, count: units)
        }

        /// False when the two disagree.
        mutating func allocate(_ units: Int, surplus: Int = 0) -> Bool {
            guard let block = self.space.allocate(byteCount: units * 4096 - surplus) else {
                return !self.naive.hasRun(of: units)
            }
            let first = self.space.offset(of: block) / 4096
            let isRightSize = self.space.size(of: block) == units * 4096
            guard isRightSize, first + units <= self.naive.isTaken.count else { return false }
            for unit in first..<first + units {
                if self.naive.isTaken[unit] { return false }
                self.naive.isTaken[unit] = true
            }
            self.live.append(block)
            return true
        }

        mutating func free(at position: Int) {
            let block = self.live.remove(at: position)
            let first = self.space.offset(of: block) / 4096
            for unit in first..<first + self.space.size(of: block) / 4096 { self.naive.isTaken[unit] = false }
            self.space.free(block)
        }

        var agrees: Bool {
            self.space.isConsistent && self.space.usedBytes == self.naive.isTaken.count { $0 } * 4096
                && self.space.totalBytes == self.naive.isTaken.count * 4096
        }
    }

    @Test func everyShortHistoryMatchesTheNaiveModel() {
        var histories = 0
        func explore(_ pair: Pair, _ depth: Int) {
            histories += 1
            guard pair.agrees else {
                Issue.record("the models disagree")
                return
            }
            guard depth > 0 else { return }
            for units in 1...3 {
                var next = pair
                if !next.allocate(units) { Issue.record("an allocation of \(units) units differs") }
                explore(next, depth - 1)
            }
            for position in pair.live.indices {
                var next = pair
                next.free(at: position)
                explore(next, depth - 1)
            }
            if pair.space.totalBytes < 8 * 4096 {
                var next = pair
                next.extend(2)
                explore(next, depth - 1)
            }
        }
        var start = Pair()
        start.extend(5)
        explore(start, 6)
        #expect(histories > 5000)
    }

    @Test(arguments: [(1, 40), (2, 700), (3, 5000)] as [(UInt64, Int)])
    func longRandomHistoriesMatchTheNaiveModel(_ seed: UInt64, _ largest: Int) {
        var random = SeededGenerator(seed)
        var pair = Pair()
        pair.extend(largest * 4)
        for step in 0..<6000 {
            switch random.below(20) {
            case 0 where pair.space.totalBytes < largest * 12 * 4096: pair.extend(1 + random.below(largest))
            case 0..<11:
                let units = 1 + random.below(random.below(2) == 0 ? 20 : largest)
                let agrees = pair.allocate(units, surplus: random.below(4096))
                #expect(agrees)
            default: if !pair.live.isEmpty { pair.free(at: random.below(pair.live.count)) }
            }
            if step % 16 == 0 { #expect(pair.agrees) }
        }
        while !pair.live.isEmpty { pair.free(at: random.below(pair.live.count)) }
        #expect(pair.agrees && pair.space.ranges.count == 1, "everything merges again")
    }

    @Test func aRequestThatJustFitsIsFoundInItsOwnClass() {
        var space = SpaceAllocator(unit: 4096)
        space.extend(byteCount: 1001 * 4096)
        // 1000 and 1001 units share a class; a search by class alone would miss it.
        let block = space.allocate(byteCount: 1001 * 4096)
        #expect(block != nil)
    }

    @Test func aFitBehindManyTooShortRangesIsFound() throws {
        var space = SpaceAllocator(unit: 4096)
        space.extend(byteCount: 4096 * 1020 * 60)
        var blocks: [UInt32] = []
        for index in 0..<60 {
            let block = space.allocate(byteCount: (index == 0 ? 1010 : 1000) * 4096)
            let wall = space.allocate(byteCount: 4096)
            blocks.append(try #require(block))
            #expect(wall != nil)
        }
        let rest = space.totalBytes - space.usedBytes
        let last = space.allocate(byteCount: rest)
        #expect(last != nil)
        for block in blocks { space.free(block) }
        let fits = [space.allocate(byteCount: 1010 * 4096), space.allocate(byteCount: 1010 * 4096)]
        #expect(fits[0] != nil && fits[1] == nil)
        #expect(space.isConsistent)
    }

    @Test func sizesThatNoSpaceHoldsAreRefused() {
        var space = SpaceAllocator(unit: 4096)
        let beforeCommitting = space.allocate(byteCount: 1)
        #expect(beforeCommitting == nil)
        space.extend(byteCount: 8192)
        for size in [0, -1, .min, .max, 8193] {
            let block = space.allocate(byteCount: size)
            #expect(block == nil)
        }
        #expect(space.rounded(1) == 4096)
        #expect(space.rounded(8192) == 8192)
        #expect(space.rounded(.max) == nil)
    }

    @Test func classesAreOrderedBySize() {
        var sizes = Set((1...70000).map { UInt32($0) })
        for shift in UInt32(16)..<31 { for step in [-1, 0, 1] { sizes.insert(UInt32(Int(1 << shift) + step)) } }
        sizes.insert(UInt32(Int32.max))
        var last = 0
        for size in sizes.sorted() {
            let index = SizeClasses.index(of: size)
            #expect(index >= last && index < 464)
            last = index
        }
    }
}
