// lmcache · SPDX-License-Identifier: Apache-2.0

import Testing

@testable import CUDATransfer

@Suite struct PinStepsTests {
    @Test func stepsFollowWhatIsCommitted() {
        var steps = PinSteps(byteCount: 250, stepByteCount: 100)
        #expect(steps.next(committedByteCount: 99) == nil)
        for (committed, expected) in [(100, 0..<100), (200, 100..<200)] {
            #expect(steps.next(committedByteCount: committed) == expected)
            steps.pinned(expected)
        }
        #expect(steps.next(committedByteCount: 249) == nil)
        #expect(!steps.isComplete && steps.count == 2)
        #expect(steps.next(committedByteCount: 250) == 200..<250)
        steps.pinned(200..<250)
        #expect(steps.isComplete && steps.count == 3 && steps.next(committedByteCount: 250) == nil)
        #expect((0..<3).map { steps.step($0) } == [0..<100, 100..<200, 200..<250])
    }

    @Test func piecesNeverCrossAStep() {
        var steps = PinSteps(byteCount: 1000, stepByteCount: 64)
        for _ in 0..<5 {
            if let next = steps.next(committedByteCount: 1000) { steps.pinned(next) }
        }
        for offset in 0..<400 {
            for length in [1, 63, 64, 65, 500] {
                let piece = steps.piece(offset: offset, byteCount: length)
                #expect(piece.byteCount >= 1 && piece.byteCount <= length)
                #expect(offset / 64 == (offset + piece.byteCount - 1) / 64)
                #expect(piece.isPinned == (offset + piece.byteCount <= 320))
            }
        }
    }
}
