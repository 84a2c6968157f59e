// lmcache · SPDX-License-Identifier: Apache-2.0

import Glibc
import KVModel
import Testing

@testable import DeviceTransfer

/// The system calls themselves, on a real segment.
@Suite struct LinuxSharedMemoryTests {
    private static func withSegment(_ byteCount: Int, _ body: (String, Int32) throws -> Void) throws {
        let name = "/lmcache_test_\(getpid())_\(byteCount)"
        let descriptor = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0o600)
        try #require(descriptor >= 0)
        defer {
            close(descriptor)
            shm_unlink(name)
        }
        try #require(ftruncate(descriptor, byteCount) == 0)
        try body(name, descriptor)
    }

    @Test func aSegmentOfThisUserIsMappedAndItsShrinkingSeen() throws {
        try Self.withSegment(8192) { name, descriptor in
            let calls = LinuxSharedMemoryCalls()
            let checked = try #require(SegmentName(name))
            let segment = try MappedSegment(checked, byteCount: 8192, calls: calls)
            segment.base.storeBytes(of: 0x1234_5678, toByteOffset: 4096, as: UInt32.self)
            var word: UInt32 = 0
            #expect(pread(descriptor, &word, 4, 4096) == 4)
            #expect(word == 0x1234_5678)
            #expect(segment.isWhole(calls: calls))
            try #require(ftruncate(descriptor, 4096) == 0)
            #expect(!segment.isWhole(calls: calls))
            segment.close(calls: calls)
        }
    }

    @Test func aSmallerOrMissingSegmentIsRefused() throws {
        try Self.withSegment(4096) { name, _ in
            let checked = try #require(SegmentName(name))
            #expect(throws: DeviceError.self) {
                try MappedSegment(checked, byteCount: 4097, calls: LinuxSharedMemoryCalls())
            }
            let missing = try #require(SegmentName(name + "_missing"))
            #expect(throws: DeviceError.self) {
                try MappedSegment(missing, byteCount: 1, calls: LinuxSharedMemoryCalls())
            }
        }
    }
}
