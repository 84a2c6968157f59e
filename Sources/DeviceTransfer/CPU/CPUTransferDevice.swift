// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel
import NativeThreads
import Synchronization

/// Copies between engines' POSIX shared memory, or memory of this process, and the arena, on one thread, first in, first
/// out.
package final class CPUTransferDevice: TransferDevice {
    package let name = "cpu"
    private let queue: BoundedQueue<CPUDeviceWork>
    private let thread: Mutex<NativeThread?>
    private let calls: any SharedMemoryCalls
    private let uptime: @Sendable () -> Duration
    private let opensProcessMemory: Bool
    /// A longer pause between two objects fails what waited meanwhile. Below the ten seconds after which an engine's
    /// heartbeat gives up.
    private static let stallLimit = Duration.seconds(5)

    /// Starts the device's thread.
    ///
    /// - Parameters:
    ///   - arena: Must stay mapped until ``stop()`` has returned.
    ///   - queueLimit: Transfers that wait at once, over all registrations.
    ///   - opensProcessMemory: Whether registrations may name addresses of this process: only where all that register
    ///     are code of this process.
    package convenience init(arena: ArenaView, queueLimit: Int, opensProcessMemory: Bool = false) {
        self.init(
            arena: arena, queueLimit: queueLimit, opensProcessMemory: opensProcessMemory,
            calls: LinuxSharedMemoryCalls(), uptime: UptimeClock.now)
    }

    /// - Parameter uptime: Time since any fixed moment, stopped time included.
    init(
        arena: ArenaView, queueLimit: Int, opensProcessMemory: Bool = false, calls: any SharedMemoryCalls,
        uptime: @escaping @Sendable () -> Duration
    ) {
        self.opensProcessMemory = opensProcessMemory
        let queue = BoundedQueue<CPUDeviceWork>(capacity: queueLimit)
        self.queue = queue
        self.calls = calls
        self.uptime = uptime
        let stalls = DeviceStallWatch(limit: Self.stallLimit)
        self.thread = Mutex(NativeThread(name: "lmc-copy-cpu") { runCPUDevice(queue, arena, stalls, uptime) })
    }

    package func accepts(_ descriptors: [MemoryDescriptor]) -> Bool {
        descriptors.allSatisfy {
            switch $0.storage {
            case .cpuSharedMemory: true
            case .process: self.opensProcessMemory && $0.deviceUUID == "cpu"
            case .cuda, .cudaRaw, .cudaVMM: false
            }
        }
    }

    package func open(
        _ registration: KVCacheRegistration, layout: KVCacheLayout
    ) throws(DeviceError) -> any EngineMemory {
        guard self.thread.withLock({ $0 != nil }) else { throw .stopped }
        let tensors = try MappedTensors(registration.tensors, layout: layout, calls: self.calls)
        return CPUEngineMemory(
            layout: layout, tensors: tensors, calls: self.calls, queue: self.queue, uptime: self.uptime)
    }

    package func stop() {
        self.queue.close()
        let thread = self.thread.withLock { thread in
            defer { thread = nil }
            return thread
        }
        thread?.join()
    }
}

/// The CPU's event handle; engines accept any bytes. Wire protocol §3.6.
private let completionHandle = Array("stub_ipc_handle".utf8)

private func runCPUDevice(
    _ queue: BoundedQueue<CPUDeviceWork>, _ arena: ArenaView, _ stalls: DeviceStallWatch,
    _ uptime: @Sendable () -> Duration
) {
    let copier = PageCopier(arena: arena)
    var stalls = stalls
    while let work = queue.pop() {
        switch work {
        case .transfer(let transfer, let memory, let queuedAt):
            let isWanted = stalls.begin(queuedAt: queuedAt, now: uptime())
            let failure =
                isWanted ? run(transfer, memory, copier, arena) { stalls.step(now: uptime()) } : TransferFailure.stalled
            transfer.completed(failure == nil)
            transfer.enqueued(failure.map { .failure($0) } ?? .success(completionHandle))
            memory.workFinished()
        case .checksums(let request, let memory, let completion):
            completion(
                memory.mayBegin
                    ? request.run(layout: memory.layout, tensors: memory.tensors, calls: memory.calls)
                    : .failure(.closed))
            memory.workFinished()
        }
    }
}

private func run(
    _ transfer: Transfer, _ memory: CPUEngineMemory, _ copier: PageCopier, _ arena: ArenaView,
    mayGoOn: () -> Bool
) -> TransferFailure? {
    guard memory.mayBegin else { return .closed }
    if let refusal = memory.layout.refusal(of: transfer, arenaByteCount: arena.byteCount) { return refusal }
    if let name = memory.tensors.shrunkSegment(calls: memory.calls) { return .engineMemoryShrunk(name: name) }
    let isBacked =
        memory.tensors.isBacked(calls: memory.calls)
        || copier.back(transfer, layout: memory.layout, tensors: memory.tensors)
    guard isBacked else { return .engineMemoryNotBacked }
    return copier.run(transfer, layout: memory.layout, tensors: memory.tensors, mayGoOn: mayGoOn) ? nil : .stalled
}
