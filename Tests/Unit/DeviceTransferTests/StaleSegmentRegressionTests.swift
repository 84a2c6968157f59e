// lmcache · SPDX-License-Identifier: Apache-2.0

import Glibc
import KVModel
import Testing

@testable import DeviceTransfer

/// An engine that restarts under its old process number gives its new memory the old names.
@Suite struct StaleSegmentRegressionTests {
    private static func makeSegment(_ name: String) -> Int32 {
        let descriptor = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0o600)
        return descriptor >= 0 && ftruncate(descriptor, 4096) == 0 ? descriptor : -1
    }

    @Test func memoryIsNotCurrentOnceItsNameLeadsElsewhere() throws {
        let name = "/lmcache_stale_\(getpid())"
        let first = Self.makeSegment(name)
        try #require(first >= 0)
        defer {
            close(first)
            shm_unlink(name)
        }
        let arena = UnsafeMutableRawPointer.allocate(byteCount: 4096, alignment: 4096)
        defer { arena.deallocate() }
        let device = CPUTransferDevice(arena: ArenaView(base: arena, byteCount: 4096), queueLimit: 1)
        defer { device.stop() }
        let request = registration([tensor([2, 4, 2, 1, 4], name: name)])
        let memory = try device.open(request, layout: try detect(request, chunkSize: 4))
        #expect(memory.isCurrent)
        shm_unlink(name)
        #expect(!memory.isCurrent)
        let second = Self.makeSegment(name)
        try #require(second >= 0)
        defer { close(second) }
        #expect(!memory.isCurrent)
        #expect(try device.open(request, layout: memory.layout).isCurrent)
        memory.close()
        #expect(!memory.isCurrent)
    }
}
