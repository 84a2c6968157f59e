// lmcache · SPDX-License-Identifier: Apache-2.0

import CSystemShims
import Glibc
import Testing

/// A log that nobody reads must not hold up the thread that answers engines.
@Suite(.serialized) struct BlockedLogRegressionTests {
    @Test func linesAreDroppedWhileNobodyReadsAndWrittenAgainAfterwards() throws {
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        defer { for end in ends { close(end) } }
        let line = [CChar](repeating: 0x61, count: 1000)
        var written = 0
        while written < 1000, lmc_write_or_drop(ends[1], line, line.count) == 0 { written += 1 }
        // The pipe holds far fewer: without a limit the loop would hang here.
        #expect(written < 1000)
        #expect(lmc_write_or_drop(ends[1], line, line.count) == -1)
        var sink = [UInt8](repeating: 0, count: 1 << 20)
        #expect(read(ends[0], &sink, sink.count) > 0)
        #expect(lmc_write_or_drop(ends[1], line, line.count) == 0)
    }

    @Test func aLongLineArrivesWhole() throws {
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        defer { for end in ends { close(end) } }
        let line = [CChar](repeating: 0x62, count: 20_000)
        #expect(lmc_write_or_drop(ends[1], line, line.count) == 0)
        var sink = [UInt8](repeating: 0, count: 1 << 20)
        #expect(read(ends[0], &sink, sink.count) == 20_000)
    }
}
