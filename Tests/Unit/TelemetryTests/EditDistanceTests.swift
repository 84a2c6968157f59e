// lmcache · SPDX-License-Identifier: Apache-2.0

import Telemetry
import Testing

struct EditDistanceTests {
    @Test func countsEditsAndSwaps() {
        func distance(_ left: String, _ right: String) -> Int {
            EditDistance.between(Array(left.utf8), Array(right.utf8))
        }
        #expect(distance("", "") == 0)
        #expect(distance("", "abc") == 3)
        #expect(distance("abc", "") == 3)
        #expect(distance("kitten", "sitting") == 3)
        #expect(distance("prot", "port") == 1)
        #expect(distance("abc", "abc") == 0)
    }
}
