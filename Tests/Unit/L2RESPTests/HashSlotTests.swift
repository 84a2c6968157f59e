// lmcache · SPDX-License-Identifier: Apache-2.0

import Testing

@testable import L2RESP

@Suite struct HashSlotTests {
    @Test func slotsAreThoseOfTheClusterSpecification() {
        // CRC-16/XMODEM of "123456789" is 0x31C3.
        #expect(HashSlot.of("123456789") == 0x31C3 % 16_384)
        #expect(HashSlot.of("") == 0)
        #expect(HashSlot.of("{user1000}.following") == HashSlot.of("{user1000}.followers"))
        #expect(HashSlot.of("foo{}{bar}") != HashSlot.of("bar"))
        #expect(HashSlot.of("foo{{bar}}zap") == HashSlot.of("{bar"))
        #expect(HashSlot.of("foo{bar}{zap}") == HashSlot.of("bar"))
        #expect(HashSlot.of("foo{bar") != HashSlot.of("bar"))
    }

    private static let asked = RESPEndpoint(host: "seed", port: 1)

    private static func node(_ host: String, _ port: Int) -> RESPAnswer {
        .array([.bulk(Array(host.utf8)), .integer(port), .bulk(Array("id".utf8))])
    }

    @Test func aMapIsReadWholeOrNotAtAll() {
        var map = SlotMap()
        #expect(map.isStale)
        let good = RESPAnswer.array([
            .array([.integer(0), .integer(100), Self.node("a", 7), Self.node("replica", 8)]),
            .array([.integer(101), .integer(16_383), Self.node("", 9)]),
        ])
        let isGoodRead = map.read(good, asked: Self.asked)
        #expect(isGoodRead)
        #expect(!map.isStale)
        #expect(map.owner(of: 100) == RESPEndpoint(host: "a", port: 7))
        #expect(map.owner(of: 101) == RESPEndpoint(host: "seed", port: 9))
        #expect(map.owner(of: -1) == nil && map.owner(of: 16_384) == nil)
        let before = map
        for bad: RESPAnswer in [
            .none, .error("ERR This instance has cluster support disabled"), .array([]), .array([.integer(1)]),
            .array([.array([.integer(5), .integer(4), Self.node("a", 7)])]),
            .array([.array([.integer(0), .integer(16_384), Self.node("a", 7)])]),
            .array([.array([.integer(-1), .integer(4), Self.node("a", 7)])]),
            .array([.array([.integer(0), .integer(4), Self.node("a", 70_000)])]),
            .array([.array([.integer(0), .integer(4), Self.node("a", 0)])]),
            .array([.array([.integer(0), .integer(4), .array([])])]),
        ] {
            let isRead = map.read(bad, asked: Self.asked)
            #expect(!isRead)
            #expect(map == before)
        }
        map.move(3, to: RESPEndpoint(host: "b", port: 2))
        #expect(map.isStale)
        #expect(map.owner(of: 3) == RESPEndpoint(host: "b", port: 2))
    }

    @Test func redirectionsAreReadAndNothingElseIs() {
        let moved = ClusterRedirection(.error("MOVED 3999 127.0.0.1:6381"), asked: Self.asked)
        #expect(moved?.kind == .moved && moved?.slot == 3999)
        #expect(moved?.endpoint == RESPEndpoint(host: "127.0.0.1", port: 6381))
        #expect(ClusterRedirection(.error("ASK 1 ::1:6381"), asked: Self.asked)?.endpoint.host == "::1")
        #expect(ClusterRedirection(.error("ASK 1 :6381"), asked: Self.asked)?.endpoint.host == "seed")
        for text in [
            "MOVED", "MOVED x a:1", "MOVED 16384 a:1", "MOVED 1 a", "MOVED 1 a:0", "ASK 1 a:99999", "ERR 1 a:1",
        ] {
            #expect(ClusterRedirection(.error(text), asked: Self.asked) == nil)
        }
        #expect(ClusterRedirection(.simple("MOVED 3999 127.0.0.1:6381"), asked: Self.asked) == nil)
    }
}
