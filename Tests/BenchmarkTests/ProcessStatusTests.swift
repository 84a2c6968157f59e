// lmcache · SPDX-License-Identifier: Apache-2.0

import Testing

@testable import lmcache_benchmark

@Suite struct ProcessStatusTests {
    @Test func sharedPagesAreNotCounted() {
        let status = ProcessStatus("Name:\tx\nRssAnon:\t     100 kB\nRssFile:\t  20 kB\nRssShmem:\t 4000 kB\n")
        #expect(status?.residentBytesBesidePool == 120 * 1_024)
        #expect(status?.sharedBytes == 4_000 * 1_024)
    }

    @Test(arguments: ["", "RssAnon: 1 kB\nRssFile: 2 kB", "RssAnon: x kB\nRssFile: 1 kB\nRssShmem: 1 kB"])
    func aTextWithoutAllLinesGivesNothing(text: String) {
        #expect(ProcessStatus(text) == nil)
    }
}
