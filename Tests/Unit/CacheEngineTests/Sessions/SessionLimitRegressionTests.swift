// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import L1Cache
import Testing

@testable import CacheEngine

/// At the limit every new request must not search all sessions.
@Suite struct SessionLimitRegressionTests {
    private static func record(_ number: Int, in table: inout SessionTable) {
        let now = Duration.seconds(number)
        let scope = LookupScope(modelName: "m", cacheSalt: "", requestedChunks: 0, startedAt: now)
        let lookup = LookupRecord(connection: ConnectionID(1), scope: scope, text: nil, lease: ReadLease.empty)
        _ = table.record(lookup, requestID: "r\(number)", chain: PrefixChain(), owner: nil, now: now)
    }

    @Test func oneSearchMakesRoomForManyRequests() {
        var table = SessionTable(limit: 256, timeToLive: .seconds(600))
        for number in 0..<257 { Self.record(number, in: &table) }
        #expect(table.count == 253)
        #expect(table["r3"] == nil)
        #expect(table["r4"] != nil)
        for number in 257..<260 { Self.record(number, in: &table) }
        #expect(table.count == 256)
        #expect(table["r4"] != nil)
    }

    @Test func aSmallTableGivesUpOneSession() {
        var table = SessionTable(limit: 2, timeToLive: .seconds(600))
        for number in 0..<3 { Self.record(number, in: &table) }
        #expect(table.count == 2)
        #expect(table["r0"] == nil)
    }
}
