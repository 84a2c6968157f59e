// lmcache · SPDX-License-Identifier: Apache-2.0

import CCUDATypes
import DeviceTransfer
import Glibc

/// Waits on the host until an engine's event has fired, so that a stream never hangs on an event whose process died.
///
/// Used by a lane's thread.
struct EventWait {
    let context: CUDAContext
    /// See ``EngineEventHandle/init(_:acceptsLocal:)``.
    let acceptsLocal: Bool
    /// Why waiting has no point any more; nil to go on.
    let giveUp: () -> TransferFailure?
    /// Time since any fixed moment.
    let uptime: @Sendable () -> Duration
    /// Takes over an opened event of another process, which has fired or never will be waited for.
    let keepOpen: (OpaquePointer) -> Void
    /// Told how long opening an event took.
    let opened: (Duration) -> Void
    /// Keeps the engines' semaphore buffers mapped.
    let keepMapped: (AllocationTable.Key) throws(CUDAFailure) -> AllocationTable.Range

    /// A longer wait fails the transfer: no engine step takes so long.
    static let limit = Duration.seconds(120)

    private var driver: CUDADriver { self.context.driver }

    /// - Parameters:
    ///   - stream: Of this lane; used for reading semaphores.
    ///   - word: Page-locked memory of at least 8 bytes, this lane's.
    ///   - fired: Called with the event, where there is one, once it has fired.
    func wait(
        for bytes: [UInt8], stream: OpaquePointer, word: UnsafeMutableRawPointer,
        fired: (OpaquePointer) throws(CUDAFailure) -> Void
    ) throws(TransferFailure) {
        switch try EngineEventHandle(bytes, acceptsLocal: self.acceptsLocal) {
        case .interprocess(let handle): try self.wait(for: handle, fired)
        case .timeline(let handle): try self.wait(for: handle, stream: stream, word: word)
        case .local(let event): try self.wait(for: event, fired)
        }
    }

    private func wait(
        for handle: lmc_cu_handle, _ fired: (OpaquePointer) throws(CUDAFailure) -> Void
    ) throws(TransferFailure) {
        let calls = self.driver.calls
        var event: OpaquePointer?
        let start = self.uptime()
        try self.check("cuIpcOpenEventHandle", lmc_cuda_ipc_open_event(calls, &event, handle))
        guard let event else { throw .device("cuIpcOpenEventHandle gave no event") }
        self.opened(self.uptime() - start)
        defer { self.keepOpen(event) }
        try self.wait(for: event, fired)
    }

    private func wait(
        for event: OpaquePointer, _ fired: (OpaquePointer) throws(CUDAFailure) -> Void
    ) throws(TransferFailure) {
        let calls = self.driver.calls
        try self.poll { () throws(TransferFailure) in
            let code = lmc_cuda_event_query(calls, event)
            if code == CUDACode.notReady { return false }
            try self.check("cuEventQuery", code)
            return true
        }
        do throws(CUDAFailure) { try fired(event) } catch { throw error.asTransferFailure }
    }

    private func wait(
        for handle: TimelineHandle, stream: OpaquePointer, word: UnsafeMutableRawPointer
    ) throws(TransferFailure) {
        guard handle.sequence > 0 else { return }
        let buffer: AllocationTable.Range
        do throws(CUDAFailure) {
            buffer = try self.keepMapped(.interprocess(handle.memory))
        } catch {
            throw error.asTransferFailure
        }
        guard handle.offset + 8 <= buffer.byteCount else {
            throw .device("a timeline event at offset \(handle.offset) of a buffer of \(buffer.byteCount) bytes")
        }
        let calls = self.driver.calls
        try self.poll { () throws(TransferFailure) in
            let address = buffer.base + UInt64(handle.offset)
            try self.check("cuMemcpyDtoHAsync", lmc_cuda_copy_to_host(calls, word, address, 8, stream))
            try self.check("cuStreamSynchronize", lmc_cuda_stream_synchronize(calls, stream))
            return word.load(as: UInt64.self) >= handle.sequence
        }
    }

    private func poll(_ hasFired: () throws(TransferFailure) -> Bool) throws(TransferFailure) {
        let start = self.uptime()
        var round: UInt32 = 0
        while try !hasFired() {
            if let failure = self.giveUp() { throw failure }
            guard self.uptime() - start < Self.limit else {
                throw .device("the engine's event did not fire within \(Self.limit.components.seconds) s")
            }
            // Short at first: the wait is a part of the time to the first token.
            usleep(round < 100 ? 20 : 500)
            round += 1
        }
    }

    private func check(_ call: String, _ code: Int32) throws(TransferFailure) {
        do throws(CUDAFailure) { try self.driver.check(call, code) } catch { throw error.asTransferFailure }
    }
}
