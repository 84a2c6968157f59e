// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import Testing

@testable import DeviceTransfer

@Suite struct MappedTensorsTests {
    private func open(
        _ memory: FakeSharedMemory, _ tensors: [MemoryDescriptor]
    ) throws -> MappedTensors {
        let layout = try detect(registration(tensors), chunkSize: 4)
        return try MappedTensors(tensors, layout: layout, calls: memory)
    }

    private func expectRefusal(_ memory: FakeSharedMemory, _ tensors: [MemoryDescriptor], _ words: String) {
        do {
            _ = try self.open(memory, tensors)
            Issue.record("opened")
        } catch {
            #expect("\(error)".contains(words), "\(error)")
        }
        #expect(memory.leftOpen == 0)
    }

    @Test func aSegmentIsMappedOnceForAllItsTensors() throws {
        let memory = FakeSharedMemory()
        let base = memory.add("/a", byteCount: 2000)
        memory.add("/b", byteCount: 500)
        let tensors = [
            tensor([6, 4, 9], name: "/a", byteCount: 500), tensor([6, 4, 9], offset: 500, name: "/a", byteCount: 2000),
            tensor([6, 4, 9], name: "/b"), tensor([6, 4, 9], offset: 10, name: "a", byteCount: 452),
        ]
        let opened = try self.open(memory, tensors)
        #expect(opened.segments.map(\.name) == ["/a", "/b"])
        #expect(opened.segments.map(\.byteCount) == [2000, 432])
        #expect(opened.firstElements[1] == base.baseAddress.map { $0 + 1000 })
        #expect(opened.firstElements[3] == base.baseAddress.map { $0 + 20 })
        #expect(opened.shrunkSegment(calls: memory) == nil)
        memory.change("/b") { $0.byteCount = 431 }
        #expect(opened.shrunkSegment(calls: memory) == "/b")
        opened.close(calls: memory)
        #expect(memory.leftOpen == 0)
    }

    @Test func tensorsThatNobodyCachesAreNotOpened() throws {
        let memory = FakeSharedMemory()
        memory.add("/a", byteCount: 432)
        let tensors = [tensor([6, 4, 9], name: "/a"), tensor([6, 4, 9], name: "/missing")]
        let layout = try detect(
            registration(tensors, groups: [EngineGroup(engineGroupID: 0, layerIndices: [0])]), chunkSize: 4)
        let opened = try MappedTensors(tensors, layout: layout, calls: memory)
        #expect(opened.firstElements[1] == nil)
        opened.close(calls: memory)
    }

    @Test func everyFailingCallLeavesNothingOpen() throws {
        let memory = FakeSharedMemory()
        let tensors = (0..<3).map { tensor([6, 4, 9], name: "/t\($0)") }
        for index in 0..<3 { memory.add("/t\(index)", byteCount: 432) }
        for call in 1...9 {
            memory.fail(call: call)
            #expect(throws: DeviceError.self) { try self.open(memory, tensors) }
            #expect(memory.leftOpen == 0)
        }
        memory.fail(call: 10)
        try self.open(memory, tensors).close(calls: memory)
        #expect(memory.leftOpen == 0)
    }

    @Test func aMissingSegmentIsNamed() {
        self.expectRefusal(FakeSharedMemory(), [tensor([6, 4, 9], name: "/gone")], "/gone cannot be opened")
    }

    @Test func aForeignOwnerIsRefused() {
        let memory = FakeSharedMemory()
        memory.add("/a", byteCount: 432)
        memory.change("/a") { $0.owner = 0 }
        self.expectRefusal(memory, [tensor([6, 4, 9], name: "/a")], "belongs to user 0")
    }

    @Test func aDirectoryOrDeviceIsRefused() {
        let memory = FakeSharedMemory()
        memory.add("/a", byteCount: 432)
        memory.change("/a") { $0.isRegularFile = false }
        self.expectRefusal(memory, [tensor([6, 4, 9], name: "/a")], "not a shared-memory segment")
    }

    @Test(arguments: [432 + 1, 1 << 40, Int.max])
    func aSegmentSmallerThanRegisteredIsRefused(_ byteCount: Int) {
        let memory = FakeSharedMemory()
        memory.add("/a", byteCount: 432)
        self.expectRefusal(memory, [tensor([6, 4, 9], name: "/a", byteCount: byteCount)], "has 432 bytes, fewer")
    }

    @Test(arguments: [431, 0, -1, Int.min])
    func elementsBeyondTheRegisteredSizeAreRefused(_ byteCount: Int) {
        let memory = FakeSharedMemory()
        memory.add("/a", byteCount: 432)
        self.expectRefusal(memory, [tensor([6, 4, 9], name: "/a", byteCount: byteCount)], "nbytes is \(byteCount)")
    }

    @Test(arguments: ["", "/", "//a", "/a/b", "../a", ".", "/..", "/a\0b", String(repeating: "n", count: 255)])
    func namesThatLeaveTheDirectoryAreRefused(_ name: String) {
        #expect(SegmentName(name) == nil)
        self.expectRefusal(FakeSharedMemory(), [tensor([6, 4, 9], name: name)], "shm_name")
    }

    @Test func namesOfEnginesAreAccepted() {
        #expect(SegmentName("/lmcache_l1_pool_5555") == nil)
        #expect(SegmentName("/lmcache_kv_4242_0")?.text == "/lmcache_kv_4242_0")
        #expect(SegmentName("lmcache_kv_4242_0")?.text == "/lmcache_kv_4242_0")
        #expect(SegmentName("/" + String(repeating: "n", count: 254)) != nil)
    }

    @Test func gpuDescriptorsAreOfTheWrongKind() throws {
        var descriptor = tensor([6, 4, 9], name: "/a")
        descriptor.storage = .cudaRaw(handle: [], allocationOffset: 0, byteCount: 432)
        self.expectRefusal(FakeSharedMemory(), [descriptor], "cpu_shm")
        let rig = Rig(arenaByteCount: 64)
        defer { withExtendedLifetime(rig) {} }
        #expect(!rig.device.accepts([descriptor]))
        #expect(rig.device.accepts([tensor([6, 4, 9])]))
    }
}
