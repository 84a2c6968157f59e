// lmcache · SPDX-License-Identifier: Apache-2.0

import EngineTestSupport
import L2Storage
import Testing

/// The whole engine with tiers behind it that are slow, late, faulty and full, and servers that die and come back.
@Suite struct TierSimulationTests {
    @Test(arguments: 0..<16 as Range<UInt64>) func neverServesAWrongByteAndNeverLeaks(seed: UInt64) throws {
        var run = try SimulationRun(seed: seed, tierCount: seed % 4 == 3 ? 2 : 1)
        for _ in 0..<2500 { try run.step() }
        run.finish()
    }

    /// Guards the test above against never getting as far as a load.
    @Test func loadsAreFrequent() throws {
        var (blocks, loaded) = (0, 0 as UInt64)
        for seed in 200..<206 as Range<UInt64> {
            var run = try SimulationRun(seed: seed, tierCount: 1)
            for _ in 0..<2500 { try run.step() }
            loaded += run.tiers?.fakes.reduce(0) { $0 + $1.counters().succeeded } ?? 0
            run.finish()
            blocks += run.checks.verifiedBlocks
        }
        #expect(blocks > 400)
        #expect(loaded > 60)
    }
}
