// lmcache · SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Telemetry

@Suite struct JSONParserTests {
    private func parse(_ text: String) throws -> JSONValue { try JSONParser.parse(Array(text.utf8)) }

    @Test func readsEveryKindOfValue() throws {
        let text = " {\"a\" : [1, -2, 0.5, 1e3, -0, true, false, null], \"b\":{}, \"c\":[] ,\"d\":\"x\"}\r\n\t"
        #expect(
            try self.parse(text)
                == ["a": [1, -2, 0.5, 1000.0, 0, true, false, .null], "b": [:], "c": [], "d": "x"]
        )
    }

    @Test(arguments: [
        (#""a\"\\\/\b\f\n\r\t""#, "a\"\\/\u{8}\u{C}\n\r\t"), (#""\u00e9\u20AC""#, "é€"),
        (#""\ud83d\ude00""#, "😀"), ("\"ü😀\"", "ü😀"), (#""\u0000""#, "\0"),
    ])
    func readsStrings(text: String, value: String) throws {
        #expect(try self.parse(text) == .string(value))
    }

    @Test func numbersBeyondIntegersAreDoubles() throws {
        #expect(try self.parse("9223372036854775807") == .integer(Int.max))
        #expect(try self.parse("9223372036854775808") == .double(9_223_372_036_854_775_808))
    }

    @Test(arguments: [
        "", " ", "{", "[", "[1", "[1,", "[1,]", "[,1]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "{1:2}", "tru",
        "nul", "truex", "1 2", "[1]]", "01", "-", "+1", ".5", "1.", "1e", "1e+", "0x1", "NaN", "Infinity", "1e999",
        "\"", "\"a", "\"\\\"", "\"\\x\"", "\"\\u12\"", "\"\\u12G4\"", "\"\\ud83d\"", "\"\\ud83d\\u0041\"",
        "\"\\ude00\"", "\"a\nb\"", "'a'", "//", "{\"a\":1 \"b\":2}", "\u{FEFF}1",
    ])
    func refusesWhatIsNotJSON(text: String) {
        #expect(throws: JSONParser.Failure.self) { try self.parse(text) }
    }

    @Test func refusesBytesThatAreNotUTF8() {
        #expect(throws: JSONParser.Failure.self) { try JSONParser.parse([0x22, 0xFF, 0x22]) }
        #expect(throws: JSONParser.Failure.self) { try JSONParser.parse([0xFF]) }
    }

    @Test func refusesDepthAndNumberBeyondTheLimits() throws {
        let deep = String(repeating: "[", count: 63) + "1" + String(repeating: "]", count: 63)
        #expect(throws: Never.self) { try self.parse(deep) }
        #expect(throws: JSONParser.Failure.self) { try self.parse("[" + deep + "]") }
        #expect(throws: JSONParser.Failure.self) { try self.parse(String(repeating: "[", count: 1_000_000)) }
        let many = "[" + String(repeating: "1,", count: JSONParser.maximumValues) + "1]"
        #expect(throws: JSONParser.Failure.self) { try self.parse(many) }
    }

    @Test func everyPrefixAndEveryChangedByteIsReadOrRefused() {
        let bytes = Array(#"{"a":[1,-2.5e3,"x\u00e9\n"],"b":{"c":null,"d":true}}"#.utf8)
        for length in bytes.indices { #expect((try? JSONParser.parse(Array(bytes[..<length]))) == nil) }
        var read = 0
        for position in bytes.indices {
            for byte in UInt8.min...UInt8.max {
                var changed = bytes
                changed[position] = byte
                if (try? JSONParser.parse(changed)) != nil { read += 1 }
            }
        }
        #expect(read > bytes.count)
    }

    @Test func aFailureNamesItsPosition() {
        #expect(throws: JSONParser.Failure(position: 4, message: "Expecting value")) { try self.parse("[1, x]") }
    }
}
