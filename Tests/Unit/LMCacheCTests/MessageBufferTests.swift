// lmcache · SPDX-License-Identifier: Apache-2.0

import Glibc
import Testing

@testable import LMCacheC

@Suite struct MessageBufferTests {
    private static func frames(_ bytes: [UInt8]) throws(LibraryError) -> [[UInt8]] {
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
        defer { copy.deallocate() }
        copy.copyBytes(from: bytes)
        return try MessageBuffer.frames(UnsafeRawBufferPointer(copy))
    }

    @Test func framesSurvive() throws {
        for frames in [[[1]], [[], [2, 3], []], [Array(repeating: 9, count: 70_000)]] as [[[UInt8]]] {
            let buffer = try MessageBuffer.buffer(frames[...])
            defer { lmcacheFree(buffer) }
            #expect(try Self.frames(Array(buffer)) == frames)
        }
    }

    @Test func everyCutAndEveryLongerOneIsRefused() throws {
        let buffer = try MessageBuffer.buffer([[1], [2, 3, 4]])
        defer { lmcacheFree(buffer) }
        let bytes = Array(buffer)
        for length in 0..<bytes.count {
            #expect(throws: LibraryError.self) { try Self.frames(Array(bytes[..<length])) }
        }
        #expect(throws: LibraryError.self) { try Self.frames(bytes + [0]) }
    }

    @Test(
        arguments: [
            ([0, 0, 0, 0], "the request has 0 frames, accepted are 1 to 255"),
            ([0, 1, 0, 0], "the request has 256 frames, accepted are 1 to 255"),
            ([255, 255, 255, 255], "the request has 4294967295 frames, accepted are 1 to 255"),
            ([1, 0, 0, 0, 255, 255, 255, 255], "frame 0 has 4294967295 bytes, but 0 are left of the request"),
        ] as [([UInt8], String)])
    func claimedCountsAreNotBelieved(_ bytes: [UInt8], _ text: String) {
        let error = #expect(throws: LibraryError.self) { try Self.frames(bytes) }
        #expect(error == LibraryError(.invalidArgument, text))
    }

    private func lmcacheFree(_ buffer: UnsafeMutableRawBufferPointer) { free(buffer.baseAddress) }
}
