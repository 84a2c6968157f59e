// lmcache · SPDX-License-Identifier: Apache-2.0

import CCUDATypes

/// Device memory in which batches take shape, and the lists that tell the kernels how. Used by the lane's thread.
final class StagingRing {
    struct Slot {
        let memory: UInt64
        /// The batch's fragments, on the device.
        let list: UInt64
        /// Fires when the slot's bytes are there.
        let filled: OpaquePointer
        /// Fires when nobody needs the slot's bytes any more.
        let freed: OpaquePointer
    }

    /// Page-locked memory in which this process writes a batch's fragments.
    struct List {
        let fragments: UnsafeMutablePointer<lmc_copy_fragment>
        /// Fires when the list has been copied to the device.
        let uploaded: OpaquePointer
    }

    static let fragmentLimit = 4096
    /// Batches that may be enqueued ahead of their upload.
    private static let listCount = 32

    let slotByteCount: Int
    /// The transposed blocks' shapes, on the device; 0 when there are none.
    let shapes: UInt64
    private let slots: [Slot]
    private let lists: [List]
    private var usedLists: Set<Int> = []
    private var nextSlot = 0
    private var nextList = 0
    private let driver: CUDADriver

    init(
        slotCount: Int, slotByteCount: Int, shapes: [lmc_copy_shape], stream: OpaquePointer, resources: LaneResources
    ) throws(CUDAFailure) {
        let driver = resources.driver
        let listByteCount = Self.fragmentLimit * MemoryLayout<lmc_copy_fragment>.stride
        var slots: [Slot] = []
        for _ in 0..<slotCount {
            slots.append(
                Slot(
                    memory: try resources.deviceMemory(byteCount: slotByteCount),
                    list: try resources.deviceMemory(byteCount: listByteCount),
                    filled: try resources.event(.ordering), freed: try resources.event(.ordering)))
        }
        let block = try resources.hostMemory(byteCount: listByteCount * Self.listCount)
        var lists: [List] = []
        for index in 0..<Self.listCount {
            let fragments = (block + index * listByteCount).bindMemory(
                to: lmc_copy_fragment.self, capacity: Self.fragmentLimit)
            lists.append(List(fragments: fragments, uploaded: try resources.event(.blocking)))
        }
        self.shapes = try Self.upload(shapes, through: block, stream: stream, resources: resources)
        self.driver = driver
        self.slotByteCount = slotByteCount
        self.slots = slots
        self.lists = lists
    }

    private static func upload(
        _ shapes: [lmc_copy_shape], through block: UnsafeMutableRawPointer, stream: OpaquePointer,
        resources: LaneResources
    ) throws(CUDAFailure) -> UInt64 {
        guard !shapes.isEmpty else { return 0 }
        let byteCount = shapes.count * MemoryLayout<lmc_copy_shape>.stride
        guard byteCount <= Self.fragmentLimit * MemoryLayout<lmc_copy_fragment>.stride else {
            throw .call("kernel groups", code: CUDACode.invalidValue, name: "\(shapes.count) shapes are too many")
        }
        let address = try resources.deviceMemory(byteCount: byteCount)
        shapes.withUnsafeBytes { bytes in
            if let first = bytes.baseAddress { block.copyMemory(from: first, byteCount: byteCount) }
        }
        let driver = resources.driver
        try driver.check("cuMemcpyHtoDAsync", lmc_cuda_copy_to_device(driver.calls, address, block, byteCount, stream))
        try driver.check("cuStreamSynchronize", lmc_cuda_stream_synchronize(driver.calls, stream))
        return address
    }

    /// The slot for the next batch; its `freed` event must be waited for by the stream that fills it.
    func takeSlot() -> Slot {
        defer { self.nextSlot = (self.nextSlot + 1) % self.slots.count }
        return self.slots[self.nextSlot]
    }

    /// A list that may be written; waits until its last use was uploaded.
    func takeList() throws(CUDAFailure) -> List {
        let index = self.nextList
        self.nextList = (index + 1) % self.lists.count
        if self.usedLists.contains(index) {
            try self.driver.check(
                "cuEventSynchronize", lmc_cuda_event_synchronize(self.driver.calls, self.lists[index].uploaded))
        }
        self.usedLists.insert(index)
        return self.lists[index]
    }
}
