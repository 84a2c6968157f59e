// lmcache · SPDX-License-Identifier: Apache-2.0

import Telemetry
import Testing

@testable import AdminHTTP

@Suite struct RequestPartsTests {
    @Test func targetsAreTakenApart() {
        let request = AdminRequest(method: "GET", target: "/a%20b+c?x=1&y=a%2Bb+c&x=2&flag&=v&z=")
        #expect(request.path == "/a b+c")
        #expect(request.query("x") == "2")
        #expect(request.query("y") == "a+b c")
        #expect(request.query("flag") == "")
        #expect(request.query("z") == "")
        #expect(request.query("none") == nil)
    }

    @Test(arguments: [("%", "%"), ("%4", "%4"), ("%zz", "%zz"), ("%41", "A"), ("%ff", "\u{FFFD}"), ("a%00", "a\0")])
    func malformedEscapesStay(text: String, decoded: String) {
        #expect(PercentCoding.decoded(text[...], plusIsSpace: false) == decoded)
    }

    @Test(arguments: [
        ([1, 2, 3, 7], "[[1,3],7]"), ([1, 2], "[1,2]"), ([3, 2, 1], "[3,2,1]"), ([], "[]"),
        ([5, 1, 2, 3, 4, 4], "[5,[1,4],4]"), ([Int.max - 2, Int.max - 1, Int.max], "[[\(Int.max - 2),\(Int.max)]]"),
    ])
    func blockRangesKeepOrder(ids: [Int], text: String) {
        #expect(BlockRanges.json(ids).serialized() == text)
    }
}
