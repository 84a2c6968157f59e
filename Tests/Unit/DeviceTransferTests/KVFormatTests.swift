// lmcache · SPDX-License-Identifier: Apache-2.0

import DeviceTransfer
import Testing

@Suite struct KVFormatTests {
    @Test func aFormatHasTheNumberOfTheProtocol() {
        #expect(KVFormat.allCases.map(\.rawValue) == [1, 2, 3, 6, 7, 8, 9, 12, 13, 18])
    }

    @Test func onlyOnePlaneFormatsPadTheirBlocks() {
        #expect(KVFormat.allCases.filter(\.allowsPaddedBlocks).map(\.rawValue) == [3, 12, 13, 18])
    }
}
