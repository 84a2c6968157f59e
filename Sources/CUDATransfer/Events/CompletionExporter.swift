// lmcache · SPDX-License-Identifier: Apache-2.0

import CCUDATypes
import DeviceTransfer

/// Makes the events that tell engines when our copies are done, in the form in which theirs came. Used by a lane's
/// thread.
final class CompletionExporter {
    private let resources: LaneResources
    /// Which slot of our semaphore buffer this lane counts in.
    private let slot: Int
    /// An engine may open an event long after the reply that named it.
    private var exported: [(event: OpaquePointer, isLocal: Bool)] = []
    private var nextExported = 0
    private var semaphores: (address: UInt64, handle: [UInt8])?
    private var sequence: UInt64 = 0

    /// Events that stay alive after their reply; the oldest is recorded anew, so that whoever still holds it waits longer
    /// and never shorter.
    static let keptCount = 512

    private var driver: CUDADriver { self.resources.driver }

    init(resources: LaneResources, slot: Int) {
        self.resources = resources
        self.slot = slot
    }

    /// Records an event behind a stream's work and gives its handle.
    ///
    /// - Parameter form: The engine's own handle, whose form is answered in kind.
    func export(after stream: OpaquePointer, form: [UInt8]) throws(CUDAFailure) -> [UInt8] {
        if form.count == TimelineHandle.byteCount { return try self.exportTimeline(after: stream) }
        let isLocal = form.starts(with: EngineEventHandle.localMark) && form.count == 16
        let event = try self.event(isLocal: isLocal)
        try self.driver.check("cuEventRecord", lmc_cuda_event_record(self.driver.calls, event, stream))
        return isLocal ? EngineEventHandle.bytes(local: event) : try self.handle(of: event)
    }

    private func event(isLocal: Bool) throws(CUDAFailure) -> OpaquePointer {
        guard self.exported.count == Self.keptCount else {
            let event = try self.made(isLocal: isLocal)
            self.exported.append((event, isLocal))
            return event
        }
        let index = self.nextExported
        self.nextExported = (index + 1) % Self.keptCount
        if self.exported[index].isLocal != isLocal {
            let event = try self.made(isLocal: isLocal)
            self.resources.destroy(event: self.exported[index].event)
            self.exported[index] = (event, isLocal)
        }
        return self.exported[index].event
    }

    private func made(isLocal: Bool) throws(CUDAFailure) -> OpaquePointer {
        try self.resources.event(isLocal ? .ordering : .interprocess)
    }

    private func handle(of event: OpaquePointer) throws(CUDAFailure) -> [UInt8] {
        var handle = lmc_cu_handle()
        try self.driver.check("cuIpcGetEventHandle", lmc_cuda_ipc_export_event(self.driver.calls, &handle, event))
        return handle.array
    }

    private func exportTimeline(after stream: OpaquePointer) throws(CUDAFailure) -> [UInt8] {
        let buffer = try self.madeSemaphores()
        self.sequence += 1
        let offset = self.slot * 8
        try self.driver.check(
            "cuStreamWriteValue64",
            lmc_cuda_stream_write_64(self.driver.calls, stream, buffer.address + UInt64(offset), self.sequence, 0))
        return TimelineHandle(memory: buffer.handle, offset: offset, sequence: self.sequence).bytes
    }

    private func madeSemaphores() throws(CUDAFailure) -> (address: UInt64, handle: [UInt8]) {
        if let semaphores = self.semaphores { return semaphores }
        let made = try self.makeSemaphores()
        self.semaphores = made
        return made
    }

    private func makeSemaphores() throws(CUDAFailure) -> (address: UInt64, handle: [UInt8]) {
        let length = TimelineHandle.bufferByteCount
        let address = try self.resources.deviceMemory(byteCount: length)
        try self.driver.check("cuMemsetD8", lmc_cuda_memory_fill(self.driver.calls, address, 0, length))
        var handle = lmc_cu_handle()
        try self.driver.check("cuIpcGetMemHandle", lmc_cuda_ipc_export_memory(self.driver.calls, &handle, address))
        return (address, handle.array)
    }
}
