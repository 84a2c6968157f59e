// lmcache · SPDX-License-Identifier: Apache-2.0

import CLMCache
import Testing

@testable import LMCacheC

/// What lmcache.h promises and what Swift does. Signatures are compared by the compiler.
@Suite struct LayoutTests {
    @Test func resultsHaveTheHeadersNumbers() {
        let numbers: [(LibraryError.Result, lmcache_result)] = [
            (.invalidArgument, LMCACHE_INVALID_ARGUMENT), (.invalidConfiguration, LMCACHE_INVALID_CONFIGURATION),
            (.unavailable, LMCACHE_UNAVAILABLE), (.timedOut, LMCACHE_TIMED_OUT), (.closed, LMCACHE_CLOSED),
            (.otherProcess, LMCACHE_OTHER_PROCESS), (.unknownTicket, LMCACHE_UNKNOWN_TICKET),
            (.tooMany, LMCACHE_TOO_MANY),
        ]
        #expect(numbers.count == LibraryError.Result.allCases.count)
        #expect(LMCACHE_OK.rawValue == 0)
        for (ours, header) in numbers { #expect(UInt32(ours.rawValue) == header.rawValue, "\(ours)") }
    }

    @Test func usageIsSixNumbersInOrder() {
        #expect(MemoryLayout<lmcache_usage>.size == 48)
        #expect(MemoryLayout<lmcache_usage>.alignment == 8)
        let offsets = [
            MemoryLayout.offset(of: \lmcache_usage.size), MemoryLayout.offset(of: \lmcache_usage.capacity_bytes),
            MemoryLayout.offset(of: \lmcache_usage.used_bytes), MemoryLayout.offset(of: \lmcache_usage.object_count),
            MemoryLayout.offset(of: \lmcache_usage.leased_object_count),
            MemoryLayout.offset(of: \lmcache_usage.ticket_count),
        ]
        #expect(offsets == [0, 8, 16, 24, 32, 40])
    }

    @Test func limitsAreTheHeaders() {
        #expect(LMCACHE_ABI_VERSION == 1)
        #expect(DirectDoor.ticketLimit == Int(LMCACHE_TICKET_LIMIT))
        #expect(MessageBuffer.maximumBytes == 1 << 30)
        #expect(MessageBuffer.maximumFrames == 255)
    }

    @Test func aLongErrorIsCutBetweenCharacters() {
        let text = String(repeating: "ä", count: 2000)
        _ = LibraryError.result { () throws(LibraryError) in throw LibraryError(.closed, "one\ntwo\r\n" + text) }
        let found = String(cString: lmcache_last_error())
        #expect(found.hasPrefix("one two ää") && found.hasSuffix("ä") && found.utf8.count > 1000)
    }
}
