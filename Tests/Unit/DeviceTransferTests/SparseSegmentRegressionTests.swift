// lmcache · SPDX-License-Identifier: Apache-2.0

import Glibc
import KVModel
import Testing

@testable import DeviceTransfer

/// A segment whose pages have no memory yet: touching them where none is left would end the server with SIGBUS.
@Suite struct SparseSegmentRegressionTests {
    @Test func onlyTheBlocksOfATransferAreBacked() async throws {
        let name = "/lmcache_sparse_\(getpid())"
        let descriptor = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0o600)
        try #require(descriptor >= 0)
        defer {
            close(descriptor)
            shm_unlink(name)
        }
        // Two planes of eight blocks, a page each.
        let request = registration([tensor([2, 8, 4, 1, 512], name: name)], hints: LayoutHints(kvLayout: .nhd))
        try #require(ftruncate(descriptor, 16 * 4096) == 0)
        let arena = UnsafeMutableRawPointer.allocate(byteCount: 8192, alignment: 4096)
        defer { arena.deallocate() }
        arena.initializeMemory(as: UInt8.self, repeating: 7, count: 8192)
        let device = CPUTransferDevice(arena: ArenaView(base: arena, byteCount: 8192), queueLimit: 1)
        defer { device.stop() }
        let memory = try device.open(request, layout: try detect(request, chunkSize: 4))
        let calls = LinuxSharedMemoryCalls()
        #expect(try !calls.status(descriptor).get().isBacked)
        let copy = ObjectCopy(
            objectGroup: 0, place: ArenaRange(offset: 0, byteCount: 8192), blockIDs: [[3]])
        #expect(await Rig.run(memory, .load, [copy])?.isCompleted == true)
        var status = stat()
        #expect(fstat(descriptor, &status) == 0)
        #expect(status.st_blocks == 2 * 4096 / 512)
        var byte: UInt8 = 0
        #expect(pread(descriptor, &byte, 1, 3 * 4096) == 1 && byte == 7)
        try #require(posix_fallocate(descriptor, 0, 16 * 4096) == 0)
        #expect(try calls.status(descriptor).get().isBacked)
        memory.close()
    }
}
