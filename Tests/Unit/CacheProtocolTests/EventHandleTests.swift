// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheProtocol
import Testing

@Suite struct EventHandleTests {
    @Test(arguments: [0, 1, 15, 63, 65, 80, 82, 200])
    func otherLengthsAreOpaque(length: Int) {
        let bytes = Array(repeating: UInt8(1), count: length)
        #expect(EventHandle(bytes: bytes) == .opaque(bytes))
    }

    @Test func sixtyFourBytesAreTheDriversHandle() {
        let bytes = [UInt8](0..<64)
        #expect(EventHandle(bytes: bytes) == .cudaInterprocess(bytes))
    }

    @Test(arguments: [(2, 8, 0), (1, 4, 0), (1, 32_768, 0), (1, 8, 1)] as [(UInt8, UInt64, Int)])
    func semaphoreOfAnotherVersionSlotOrLengthIsOpaque(version: UInt8, offset: UInt64, extra: Int) throws {
        let valid = try #require(
            TimelineSemaphore(memoryHandle: Array(repeating: 9, count: 64), slotOffset: 8, sequence: 5)
        )
        var bytes = valid.bytes
        #expect(EventHandle(bytes: bytes) == .timelineSemaphore(valid))
        bytes[0] = version
        for index in 0..<8 { bytes[65 + index] = UInt8(truncatingIfNeeded: offset >> UInt64(56 - 8 * index)) }
        bytes += Array(repeating: 0, count: extra)
        #expect(EventHandle(bytes: bytes) == .opaque(bytes))
    }
}
