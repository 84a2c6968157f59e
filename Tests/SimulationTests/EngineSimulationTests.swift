// lmcache · SPDX-License-Identifier: Apache-2.0

import Testing

/// Runs the whole engine with several fake engines, seeded choices, failing copies, full queues, lost connections, reaped
/// workers, late writers and memory pressure, and checks every block that a reader got. A failure names its seed.
@Suite struct EngineSimulationTests {
    @Test(arguments: 0..<24 as Range<UInt64>) func neverServesAWrongByteAndNeverLeaks(seed: UInt64) throws {
        var run = try SimulationRun(seed: seed)
        for _ in 0..<3000 { try run.step() }
        run.finish()
    }

    /// Guards the test above against never getting as far as a hit.
    @Test func hitsAreFrequent() throws {
        var blocks = 0
        for seed in 100..<106 as Range<UInt64> {
            var run = try SimulationRun(seed: seed)
            for _ in 0..<3000 { try run.step() }
            run.finish()
            blocks += run.checks.verifiedBlocks
        }
        #expect(blocks > 400)
    }
}
