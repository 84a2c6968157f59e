// lmcache · SPDX-License-Identifier: Apache-2.0

import CCUDATypes
import DeviceTransfer

/// Enqueues batches of one direction on a lane's two streams. Used by the lane's thread.
///
/// `kernels` runs what touches pages in staging and direct batches, `transfers` the copies between the ring and the
/// arena and, in batches without kernels, between pages and arena.
final class BatchEnqueuer {
    let kernels: OpaquePointer
    let transfers: OpaquePointer
    let ring: StagingRing
    private let direction: Transfer.Direction
    private let context: CUDAContext
    private let arena: ArenaView
    private let pinned: PinnedArena
    private let shapes: [lmc_copy_shape]
    private let gridSize: Int
    /// Whether lists are copied to the device, or read by the kernels from page-locked memory.
    private let sendsLists: Bool
    private let resources: LaneResources
    private let joint: OpaquePointer
    /// Page-locked memory for what the arena is not; made when first needed.
    private var bounce: UnsafeMutableRawPointer?
    /// What the transfer at hand needs until it has completed.
    private(set) var hostCopies: [HostCopies] = []
    private(set) var unpinnedByteCount = 0
    private var usedTransfers = false
    private var usedKernels = false

    private var driver: CUDADriver { self.context.driver }
    private var isStore: Bool { self.direction == .store }

    init(
        direction: Transfer.Direction, lease: CUDAContexts.Lease, arena: ArenaView, plan: FragmentPlan,
        settings: CUDASettings, resources: LaneResources
    ) throws(CUDAFailure) {
        self.direction = direction
        self.context = lease.context
        self.pinned = lease.arena
        self.arena = arena
        self.shapes = plan.shapes
        self.gridSize = settings.gridSize
        // The engine that copies to the device takes turns of milliseconds: a store's list would wait behind a load.
        self.sendsLists = settings.sendsLists ?? (direction == .load)
        self.resources = resources
        // A hit's kernels run before a store's.
        let priority: Int32 = direction == .load ? settings.loadPriority : 0
        self.kernels = try resources.stream(priority: priority)
        self.transfers = try resources.stream(priority: priority)
        self.joint = try resources.event(.ordering)
        let least = BatchCutter.leastSlotByteCount(forFragment: plan.largestBlockByteCount)
        self.ring = try StagingRing(
            slotCount: settings.slotCount, slotByteCount: max(settings.slotByteCount, least), shapes: plan.shapes,
            stream: self.kernels, resources: resources)
    }

    /// Forgets the transfer before and begins one.
    func begin() {
        self.hostCopies = []
        self.unpinnedByteCount = 0
        (self.usedKernels, self.usedTransfers) = (false, false)
    }

    /// Lets all further work wait for an event.
    func wait(for event: OpaquePointer) throws(CUDAFailure) {
        try self.wait(self.kernels, event)
        try self.wait(self.transfers, event)
    }

    /// Enqueues one batch.
    func enqueue(_ batch: CopyBatch, strategy: CopyStrategy) throws(CUDAFailure) {
        switch (strategy, self.context.kernels) {
        case (.copies, _), (_, nil): try self.enqueueCopies(batch)
        case (.direct, .some(let code)) where self.isDirectlyReachable(batch): try self.enqueueDirect(batch, code)
        case (_, .some(let code)): try self.enqueueStaged(batch, code)
        }
    }

    /// Joins the streams after the last batch.
    ///
    /// - Returns: The stream behind whose work the engine's blocks are free or filled, and the one behind whose work
    ///   every byte is in place.
    func end() throws(CUDAFailure) -> (engine: OpaquePointer, completion: OpaquePointer) {
        if self.usedTransfers { try self.join(self.kernels, after: self.transfers) }
        guard self.isStore else { return (self.kernels, self.kernels) }
        if self.usedKernels { try self.join(self.transfers, after: self.kernels) }
        return (self.kernels, self.transfers)
    }

    /// Waits until nothing of what was enqueued can touch memory any more.
    func settle() {
        _ = lmc_cuda_stream_synchronize(self.driver.calls, self.kernels)
        _ = lmc_cuda_stream_synchronize(self.driver.calls, self.transfers)
    }

    private func join(_ stream: OpaquePointer, after other: OpaquePointer) throws(CUDAFailure) {
        try self.record(self.joint, other)
        try self.wait(stream, self.joint)
    }

    private func wait(_ stream: OpaquePointer, _ event: OpaquePointer) throws(CUDAFailure) {
        try self.driver.check("cuStreamWaitEvent", lmc_cuda_stream_wait_event(self.driver.calls, stream, event, 0))
    }

    private func record(_ event: OpaquePointer, _ stream: OpaquePointer) throws(CUDAFailure) {
        try self.driver.check("cuEventRecord", lmc_cuda_event_record(self.driver.calls, event, stream))
    }
}

// MARK: With kernels

extension BatchEnqueuer {
    private func isDirectlyReachable(_ batch: CopyBatch) -> Bool {
        guard self.pinned.hasEqualAddresses else { return false }
        let pinned = self.pinned.steps.pinnedByteCount
        return batch.runs.allSatisfy { $0.arenaOffset + $0.byteCount <= pinned }
    }

    private func enqueueStaged(_ batch: CopyBatch, _ code: CopyKernels) throws(CUDAFailure) {
        let slot = self.ring.takeSlot()
        let list = try self.write(batch) { slot.memory + UInt64($0.slotOffset) }
        if self.isStore {
            try self.wait(self.kernels, slot.freed)
            try self.launch(code, list, slot: slot, listStream: self.kernels)
            try self.record(slot.filled, self.kernels)
            try self.wait(self.transfers, slot.filled)
            try self.moveRuns(batch, slot: slot)
            try self.record(slot.freed, self.transfers)
        } else {
            try self.wait(self.transfers, slot.freed)
            let address = try self.sent(list, to: slot, stream: self.transfers)
            try self.moveRuns(batch, slot: slot)
            try self.record(slot.filled, self.transfers)
            try self.wait(self.kernels, slot.filled)
            try self.launch(code, list, at: address)
            try self.record(slot.freed, self.kernels)
        }
        self.usedKernels = true
    }

    private func enqueueDirect(_ batch: CopyBatch, _ code: CopyKernels) throws(CUDAFailure) {
        let slot = self.ring.takeSlot()
        let base = UInt64(UInt(bitPattern: self.arena.base))
        let list = try self.write(batch) { base + UInt64($0.arenaOffset) }
        try self.wait(self.kernels, slot.freed)
        try self.launch(code, list, slot: slot, listStream: self.kernels)
        try self.record(slot.freed, self.kernels)
        self.usedKernels = true
        // The joint event orders the transfers behind it.
    }

    private func launch(
        _ code: CopyKernels, _ list: StagingRing.List, slot: StagingRing.Slot, listStream: OpaquePointer
    ) throws(CUDAFailure) {
        let address = try self.sent(list, to: slot, stream: listStream)
        try self.launch(code, list, at: address)
    }

    private func launch(_ code: CopyKernels, _ list: StagingRing.List, at address: UInt64) throws(CUDAFailure) {
        try code.launch(
            isGather: self.isStore, fragments: address, count: list.count, shapes: self.ring.shapes,
            grid: self.gridSize, stream: self.kernels, driver: self.driver)
        if !self.sendsLists { try self.record(list.read, self.kernels) }
    }

    private func write(
        _ batch: CopyBatch, object: (CopyBatch.Fragment) -> UInt64
    ) throws(CUDAFailure) -> StagingRing.List {
        let list = try self.ring.takeList(count: batch.fragments.count)
        for (index, fragment) in batch.fragments.enumerated() {
            list.fragments[index] = lmc_copy_fragment(
                page: fragment.page, object: object(fragment), byte_count: UInt32(clamping: fragment.byteCount),
                shape: fragment.shape.map { UInt32(clamping: $0) } ?? .max)
        }
        return list
    }

    /// Where the kernel reads the list: in the slot, to which it is sent, or where this process wrote it.
    private func sent(
        _ list: StagingRing.List, to slot: StagingRing.Slot, stream: OpaquePointer
    ) throws(CUDAFailure) -> UInt64 {
        guard self.sendsLists else { return list.address }
        let byteCount = list.count * MemoryLayout<lmc_copy_fragment>.stride
        try self.driver.check(
            "cuMemcpyHtoDAsync",
            lmc_cuda_copy_to_device(self.driver.calls, slot.list, list.fragments, byteCount, stream))
        try self.record(list.read, stream)
        return slot.list
    }

    /// Enqueues the copies between a slot and the arena.
    private func moveRuns(_ batch: CopyBatch, slot: StagingRing.Slot) throws(CUDAFailure) {
        try self.movePieces(batch.runs) { (piece, host) throws(CUDAFailure) in
            try self.copy(slot.memory + UInt64(piece.slotOffset), host, piece.byteCount)
        }
    }

    /// One copy in this lane's direction.
    private func copy(_ device: UInt64, _ host: UnsafeMutableRawPointer, _ byteCount: Int) throws(CUDAFailure) {
        if self.isStore {
            try self.driver.check(
                "cuMemcpyDtoHAsync",
                lmc_cuda_copy_to_host(self.driver.calls, host, device, byteCount, self.transfers))
        } else {
            try self.driver.check(
                "cuMemcpyHtoDAsync",
                lmc_cuda_copy_to_device(self.driver.calls, device, host, byteCount, self.transfers))
        }
    }
}

// MARK: The arena's side

extension BatchEnqueuer {
    /// Calls `body` for each piece of the runs that one copy call may touch, with its page-locked host memory: the
    /// arena's own, or the bounce buffer's, which host copies connect with the arena.
    private func movePieces(
        _ runs: [CopyBatch.Run],
        _ body: (CopyBatch.Run, UnsafeMutableRawPointer) throws(CUDAFailure) -> Void
    ) throws(CUDAFailure) {
        let steps = self.pinned.steps
        let bounced = HostCopies()
        var pieces: [(CopyBatch.Run, UnsafeMutableRawPointer)] = []
        for run in runs {
            var done = 0
            while done < run.byteCount {
                let (length, isPinned) = steps.piece(offset: run.arenaOffset + done, byteCount: run.byteCount - done)
                let piece = CopyBatch.Run(
                    arenaOffset: run.arenaOffset + done, slotOffset: run.slotOffset + done, byteCount: length)
                pieces.append((piece, try self.host(piece, isPinned: isPinned, bounced)))
                done += length
            }
        }
        if !self.isStore { try self.enqueue(bounced) }
        for (piece, host) in pieces { try body(piece, host) }
        if self.isStore { try self.enqueue(bounced) }
    }

    private func host(
        _ piece: CopyBatch.Run, isPinned: Bool, _ bounced: HostCopies
    ) throws(CUDAFailure) -> UnsafeMutableRawPointer {
        let place = self.arena.base + piece.arenaOffset
        if isPinned { return place }
        let buffer = try self.bounceBuffer() + piece.slotOffset
        bounced.append(
            HostCopies.Copy(
                destination: self.isStore ? place : buffer, source: self.isStore ? buffer : place,
                byteCount: piece.byteCount))
        return buffer
    }

    private func enqueue(_ bounced: HostCopies) throws(CUDAFailure) {
        guard !bounced.copies.isEmpty else { return }
        self.hostCopies.append(bounced)
        self.unpinnedByteCount += bounced.byteCount
        try bounced.enqueue(on: self.transfers, driver: self.driver)
    }

    private func bounceBuffer() throws(CUDAFailure) -> UnsafeMutableRawPointer {
        if let bounce = self.bounce { return bounce }
        let bounce = try self.resources.hostMemory(byteCount: self.ring.slotByteCount)
        self.bounce = bounce
        return bounce
    }
}

// MARK: Without kernels

extension BatchEnqueuer {
    /// One copy a fragment, or a head of a transposed block.
    private func enqueueCopies(_ batch: CopyBatch) throws(CUDAFailure) {
        // A transposed block is one piece: its runs must not be cut.
        let runs = batch.fragments.map {
            CopyBatch.Run(arenaOffset: $0.arenaOffset, slotOffset: $0.slotOffset, byteCount: $0.byteCount)
        }
        let steps = self.pinned.steps
        let bounced = HostCopies()
        var hosts: [UnsafeMutableRawPointer] = []
        for run in runs {
            let (length, isPinned) = steps.piece(offset: run.arenaOffset, byteCount: run.byteCount)
            // What crosses into another step goes through the buffer.
            hosts.append(try self.host(run, isPinned: isPinned && length == run.byteCount, bounced))
        }
        if !self.isStore { try self.enqueue(bounced) }
        for (fragment, host) in zip(batch.fragments, hosts) {
            if let shape = fragment.shape {
                try self.copyRows(self.shapes[shape], page: fragment.page, host: host)
            } else {
                try self.copy(fragment.page, host, fragment.byteCount)
            }
        }
        if self.isStore { try self.enqueue(bounced) }
        self.usedTransfers = true
    }

    private func copyRows(
        _ shape: lmc_copy_shape, page: UInt64, host: UnsafeMutableRawPointer
    ) throws(CUDAFailure) {
        let objectSlot = Int(shape.heads) * Int(shape.row_bytes)
        for head in 0..<Int(shape.heads) {
            var copy = lmc_cu_copy_2d()
            let device = page + UInt64(head * Int(shape.page_head_stride))
            let object = host + head * Int(shape.row_bytes)
            (copy.source_kind, copy.destination_kind) = self.isStore ? (2, 1) : (1, 2)
            copy.source_device = device
            copy.source_host = UnsafeRawPointer(object)
            copy.destination_device = device
            copy.destination_host = object
            (copy.source_pitch, copy.destination_pitch) =
                self.isStore ? (Int(shape.page_slot_stride), objectSlot) : (objectSlot, Int(shape.page_slot_stride))
            (copy.width, copy.height) = (Int(shape.row_bytes), Int(shape.slots))
            try self.driver.check("cuMemcpy2DAsync", lmc_cuda_copy_2d(self.driver.calls, &copy, self.transfers))
        }
    }
}
