// lmcache · SPDX-License-Identifier: Apache-2.0

/// Which bytes of an arena are page-locked: a prefix of whole steps. A pure state machine.
struct PinSteps: Equatable, Sendable {
    let stepByteCount: Int
    let byteCount: Int
    private(set) var pinnedByteCount = 0

    init(byteCount: Int, stepByteCount: Int) {
        precondition(stepByteCount > 0, "a step has bytes")
        self.byteCount = byteCount
        self.stepByteCount = stepByteCount
    }

    var isComplete: Bool { self.pinnedByteCount == self.byteCount }

    /// Number of pinned steps.
    var count: Int {
        self.pinnedByteCount / self.stepByteCount + (self.pinnedByteCount % self.stepByteCount > 0 ? 1 : 0)
    }

    /// The next step, once all of it has memory; nil while there is none.
    func next(committedByteCount: Int) -> Range<Int>? {
        guard !self.isComplete else { return nil }
        let end = min(self.pinnedByteCount + self.stepByteCount, self.byteCount)
        return end <= committedByteCount ? self.pinnedByteCount..<end : nil
    }

    /// The step that ``next(committedByteCount:)`` gave is pinned.
    mutating func pinned(_ step: Range<Int>) {
        precondition(step.lowerBound == self.pinnedByteCount, "steps are pinned in order")
        self.pinnedByteCount = step.upperBound
    }

    /// Step number `index`'s bytes.
    func step(_ index: Int) -> Range<Int> {
        index * self.stepByteCount..<min((index + 1) * self.stepByteCount, self.byteCount)
    }

    /// The longest start of a range that one copy call may touch: it does not cross a step, and is pinned or unpinned as
    /// a whole.
    func piece(offset: Int, byteCount: Int) -> (byteCount: Int, isPinned: Bool) {
        let stepEnd = (offset / self.stepByteCount + 1) * self.stepByteCount
        return (min(byteCount, stepEnd - offset), offset < self.pinnedByteCount)
    }
}
