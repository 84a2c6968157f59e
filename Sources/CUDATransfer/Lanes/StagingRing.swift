// lmcache · SPDX-License-Identifier: Apache-2.0

import CCUDATypes

/// Device memory in which batches take shape, and the lists that tell the kernels how. Used by the lane's thread.
final class StagingRing {
    struct Slot {
        let memory: UInt64
        /// Room for a batch's fragments, on the device.
        let list: UInt64
        /// Fires when the slot's bytes are there.
        let filled: OpaquePointer
        /// Fires when nobody needs the slot's bytes any more.
        let freed: OpaquePointer
    }

    /// Page-locked memory in which this process writes a batch's fragments.
    struct List {
        let fragments: UnsafeMutablePointer<lmc_copy_fragment>
        let count: Int
        /// The same memory as kernels see it.
        let address: UInt64
        /// To be recorded behind the list's last reader.
        let read: OpaquePointer
    }

    static let fragmentLimit = 4096
    /// Batches that may be enqueued ahead: with their copies they stay well below what a stream of the driver takes
    /// before a call blocks, which would hold up the other direction too.
    private static let listLimit = 64
    /// Fragments of all lists together.
    private static let listCapacity = 128 << 10

    let slotByteCount: Int
    /// The transposed blocks' shapes, on the device; 0 when there are none.
    let shapes: UInt64
    private let slots: [Slot]
    private let fragments: UnsafeMutablePointer<lmc_copy_fragment>
    private let fragmentsAddress: UInt64
    private let reads: [OpaquePointer]
    private var places = ListPlaces(capacity: StagingRing.listCapacity, limit: StagingRing.listLimit)
    private var nextSlot = 0
    private let driver: CUDADriver

    init(
        slotCount: Int, slotByteCount: Int, shapes: [lmc_copy_shape], stream: OpaquePointer, resources: LaneResources
    ) throws(CUDAFailure) {
        let driver = resources.driver
        let stride = MemoryLayout<lmc_copy_fragment>.stride
        var slots: [Slot] = []
        for _ in 0..<slotCount {
            slots.append(
                Slot(
                    memory: try resources.deviceMemory(byteCount: slotByteCount),
                    list: try resources.deviceMemory(byteCount: Self.fragmentLimit * stride),
                    filled: try resources.event(.ordering), freed: try resources.event(.ordering)))
        }
        let block = try resources.hostMemory(byteCount: Self.listCapacity * stride)
        var address: UInt64 = 0
        try driver.check(
            "cuMemHostGetDevicePointer", lmc_cuda_host_device_address(driver.calls, &address, block, 0))
        var reads: [OpaquePointer] = []
        for _ in 0..<Self.listLimit { reads.append(try resources.event(.blocking)) }
        self.shapes = try Self.upload(shapes, through: block, stream: stream, resources: resources)
        self.driver = driver
        self.slotByteCount = slotByteCount
        self.slots = slots
        self.fragments = block.bindMemory(to: lmc_copy_fragment.self, capacity: Self.listCapacity)
        self.fragmentsAddress = address
        self.reads = reads
    }

    private static func upload(
        _ shapes: [lmc_copy_shape], through block: UnsafeMutableRawPointer, stream: OpaquePointer,
        resources: LaneResources
    ) throws(CUDAFailure) -> UInt64 {
        guard !shapes.isEmpty else { return 0 }
        let byteCount = shapes.count * MemoryLayout<lmc_copy_shape>.stride
        guard byteCount <= Self.listCapacity * MemoryLayout<lmc_copy_fragment>.stride else {
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

    /// A list that may be written; waits until the readers of those that had its place are done.
    ///
    /// - Parameter count: Fragments, at most ``fragmentLimit``.
    func takeList(count: Int) throws(CUDAFailure) -> List {
        while true {
            if let place = self.places.take(count) {
                let offset = place.start * MemoryLayout<lmc_copy_fragment>.stride
                return List(
                    fragments: self.fragments + place.start, count: count,
                    address: self.fragmentsAddress + UInt64(offset), read: self.reads[place.number])
            }
            guard let oldest = self.places.giveBack() else { preconditionFailure("an empty ring has a place") }
            let code = lmc_cuda_event_synchronize(self.driver.calls, self.reads[oldest.number])
            try self.driver.check("cuEventSynchronize", code)
        }
    }
}
