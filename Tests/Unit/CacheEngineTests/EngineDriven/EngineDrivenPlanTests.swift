// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import Testing

@testable import CacheEngine

@Suite struct EngineDrivenPlanTests {
    @Test(
        arguments: [
            (0, 8, 0, 0..<2), (4, 8, 0, 1..<2), (8, 8, 3, 2..<2), (0, 8, nil, nil), (1, 8, 0, nil), (0, 7, 0, nil),
            (-4, 8, 0, nil), (8, 4, 0, nil), (0, 12, 0, nil), (0, Int.max / 4 * 4, 0, nil), (Int.min, 8, 0, nil),
        ] as [(Int, Int, Int?, Range<Int>?)])
    func takesWholeChunksOfAWorker(start: Int, end: Int, rank: Int?, chunks: Range<Int>?) {
        let key = CacheKey(
            modelName: "model", worldSize: 4, workerID: rank, tokenIDs: Array(0..<10), start: start, end: end,
            requestID: "r")
        let plan = EngineDrivenPlan(key: key, chunkSize: 4)
        #expect(plan?.chunks == chunks)
        if chunks != nil { #expect(plan?.rank == rank) }
    }
}
