// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import Synchronization

@testable import DeviceTransfer

/// A device with an arena and fake segments.
final class Rig: Sendable {
    let memory = FakeSharedMemory()
    let arena: ArenaView
    let device: CPUTransferDevice

    init(
        arenaByteCount: Int, queueLimit: Int = 64, uptime: @escaping @Sendable () -> Duration = { .zero }
    ) {
        let base = UnsafeMutableRawPointer.allocate(byteCount: arenaByteCount, alignment: 4096)
        base.initializeMemory(as: UInt8.self, repeating: 0xa5, count: arenaByteCount)
        self.arena = ArenaView(base: base, byteCount: arenaByteCount)
        self.device = CPUTransferDevice(arena: self.arena, queueLimit: queueLimit, calls: self.memory, uptime: uptime)
    }

    deinit {
        self.device.stop()
        self.arena.base.deallocate()
    }

    var arenaBytes: [UInt8] {
        Array(UnsafeRawBufferPointer(start: self.arena.base, count: self.arena.byteCount))
    }

    func fillArena(seed: UInt64) {
        var random = SeededRandom(seed)
        for offset in 0..<self.arena.byteCount {
            self.arena.base.storeBytes(
                of: UInt8(truncatingIfNeeded: random.next()), toByteOffset: offset, as: UInt8.self)
        }
    }

    func segment(_ name: String) -> UnsafeMutableRawBufferPointer {
        self.memory.state.withLock { state in
            guard let segment = state.segments[name] else { return .init(start: nil, count: 0) }
            return .init(start: segment.base, count: segment.allocated)
        }
    }

    /// Makes segments for every tensor of a registration, with `slack` bytes more than needed.
    func addSegments(_ registration: KVCacheRegistration, slack: Int = 0) {
        for (index, tensor) in registration.tensors.enumerated() {
            guard case .cpuSharedMemory(let name, let byteCount) = tensor.storage else { continue }
            self.memory.add(name, byteCount: byteCount + slack, seed: UInt64(index) + 100)
        }
    }

    /// What the callbacks said, in their order.
    struct Outcome {
        let isCompleted: Bool
        let enqueued: Result<[UInt8], TransferFailure>
        let wasCompletedFirst: Bool
    }

    /// Submits and waits.
    static func run(
        _ memory: any EngineMemory, _ direction: Transfer.Direction, _ objects: [ObjectCopy],
        protectedBlockID: Int32? = nil
    ) async -> Outcome? {
        await withCheckedContinuation { continuation in
            let completed = Mutex<Bool?>(nil)
            let box = Shared(completed)
            let transfer = Transfer(
                direction: direction, objects: objects, protectedBlockID: protectedBlockID, event: [],
                enqueued: { result in
                    let isCompleted = box.value.withLock { $0 }
                    continuation.resume(
                        returning: Outcome(
                            isCompleted: isCompleted ?? false, enqueued: result,
                            wasCompletedFirst: isCompleted != nil))
                },
                completed: { isComplete in box.value.withLock { $0 = isComplete } })
            if !memory.submit(transfer) { continuation.resume(returning: nil) }
        }
    }
}

/// A value that closures share.
final class Shared<Value: ~Copyable & Sendable>: Sendable {
    let value: Value

    init(_ value: consuming Value) { self.value = value }
}
