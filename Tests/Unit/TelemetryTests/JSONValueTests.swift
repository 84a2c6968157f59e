// lmcache · SPDX-License-Identifier: Apache-2.0

import Telemetry
import Testing

@Suite struct JSONValueTests {
    private let value: JSONValue = [
        "b": 1, "a": [1.5, true, .null, "x"], "empty": [:], "none": [], "nested": ["k": [2]],
    ]

    @Test func compactTextKeepsMemberOrder() {
        #expect(
            self.value.serialized()
                == #"{"b":1,"a":[1.5,true,null,"x"],"empty":{},"none":[],"nested":{"k":[2]}}"#
        )
    }

    @Test func indentedTextHasOneMemberALine() {
        let value: JSONValue = ["b": 1, "a": [1, ["c": .null]], "e": [], "o": [:]]
        #expect(
            value.serialized(indent: 2) == """
                {
                  "b": 1,
                  "a": [
                    1,
                    {
                      "c": null
                    }
                  ],
                  "e": [],
                  "o": {}
                }
                """
        )
    }

    @Test(arguments: [
        ("plain ü", "\"plain ü\""), ("q\"\\", #""q\"\\""#), ("a\n\r\t\u{1}\u{1F}", #""a\n\r\t\u0001\u001f""#),
    ])
    func stringsAreEscaped(text: String, json: String) {
        #expect(JSONValue.string(text).serialized() == json)
    }

    @Test func numbersThatJSONCannotSayAreNull() {
        #expect(JSONValue.array([.double(.nan), .double(.infinity), 0.0, 2.0]).serialized() == "[null,null,0.0,2.0]")
    }

    @Test func theLastOfEqualNamesCounts() {
        let value = JSONValue.object([("a", 1), ("a", 2)])
        #expect(value["a"] == 2)
        #expect(value["b"] == nil)
        #expect(JSONValue.array([])["a"] == nil)
    }

    @Test func equalityLooksAtOrderAndKind() {
        #expect(JSONValue.object([("a", 1), ("b", 2)]) != JSONValue.object([("b", 2), ("a", 1)]))
        #expect(JSONValue.integer(1) != JSONValue.double(1))
    }
}
