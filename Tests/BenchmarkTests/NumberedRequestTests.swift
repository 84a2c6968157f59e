// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheProtocol
import Testing

@testable import lmcache_benchmark

@Suite struct NumberedRequestTests {
    @Test(arguments: [(0, 0), (7, 12), (17, 99_999_999)])
    func anOverwrittenRequestEqualsAFreshOne(prefix: Int, number: Int) throws {
        let tokens = Workload.prompt(4, tokenCount: 600)
        var request = Workload.lookup(tokens)
        request.setNumber(prefix: prefix, number)
        let identifier = NumberedRequest.identifier(prefix: prefix, number: number)
        #expect(identifier.utf8.count == NumberedRequest.identifierLength)
        let decoded = try LookupRequest(payloads: Array(request.frames.dropFirst()))
        #expect(decoded.key == Workload.key(tokens, requestID: identifier))
    }

    @Test func promptsDifferFromTheFirstChunkOn() {
        let first = Workload.prompt(0, tokenCount: 512)
        #expect(first == Workload.prompt(0, tokenCount: 512))
        #expect(first.prefix(256) != Workload.prompt(1, tokenCount: 256)[...])
        #expect(Workload.prompt(0, tokenCount: 256)[...] == first.prefix(256))
    }
}
