// lmcache · SPDX-License-Identifier: Apache-2.0

import Testing

@testable import CUDATransfer

@Suite struct BatchCutterTests {
    @Test func batchesHoldEveryByteOnceInOrder() {
        var random = SeededRandom(4)
        for _ in 0..<200 {
            var cutter = BatchCutter(slotByteCount: 2000, fragmentLimit: 7)
            var batches: [CopyBatch] = []
            var offset = 0
            var expected: [(page: UInt64, offset: Int)] = []
            for _ in 0..<40 {
                offset += Bool.random(using: &random) ? 0 : Int.random(in: 1...500, using: &random)
                let length = Int.random(in: 1...900, using: &random)
                let shape = Bool.random(using: &random) ? 0 : nil
                let page = UInt64(100_000 + offset * 2)
                var done = 0
                while done < length {
                    let added = cutter.add(
                        page: page + UInt64(done), arenaOffset: offset + done, byteCount: length - done, shape: shape)
                    if added == 0 { batches.append(cutter.take()) }
                    #expect(shape == nil || added == 0 || added == length)
                    done += added
                }
                for byte in 0..<length { expected.append((page + UInt64(byte), offset + byte)) }
                offset += length
            }
            batches.append(cutter.take())
            self.check(batches, expected)
        }
    }

    private func check(_ batches: [CopyBatch], _ expected: [(page: UInt64, offset: Int)]) {
        var position = 0
        var isOrdered = true
        for batch in batches {
            #expect(batch.fragments.count <= 7 && batch.slotByteCount <= 2000)
            #expect(batch.byteCount == batch.fragments.reduce(0) { $0 + $1.byteCount })
            for fragment in batch.fragments {
                let run = batch.runs.first {
                    $0.arenaOffset <= fragment.arenaOffset
                        && fragment.arenaOffset + fragment.byteCount <= $0.arenaOffset + $0.byteCount
                }
                #expect(run.map { $0.slotOffset - $0.arenaOffset } == fragment.slotOffset - fragment.arenaOffset)
                // So that both sides can be moved in words of 16 bytes.
                #expect((fragment.slotOffset - fragment.arenaOffset) % 16 == 0)
                for byte in 0..<fragment.byteCount {
                    isOrdered =
                        isOrdered && expected[position].page == fragment.page + UInt64(byte)
                        && expected[position].offset == fragment.arenaOffset + byte
                    position += 1
                }
            }
            let places = batch.runs.sorted { $0.slotOffset < $1.slotOffset }
            for (one, next) in zip(places, places.dropFirst()) {
                #expect(one.slotOffset + one.byteCount <= next.slotOffset)
            }
        }
        #expect(isOrdered && position == expected.count)
    }
}
