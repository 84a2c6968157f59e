// lmcache · SPDX-License-Identifier: Apache-2.0

import DeviceTransfer
import FakeCUDADriver
import Glibc
import KVModel
import Synchronization
import Testing

@testable import CUDATransfer

/// The fake driver is one for the process: everything that uses it runs one after the other.
@Suite(.serialized) enum FakeDriverTests {}

/// A CUDA device over the fake driver, with an arena.
final class CUDARig: Sendable {
    static let uuid = "fafafafa-fafa-fafa-fafa-fafafafafa00"
    static let otherUUID = "fafafafa-fafa-fafa-fafa-fafafafafa01"

    let arena: ArenaView
    let device: CUDATransferDevice
    let notices = Shared(Mutex<[CUDANotice]>([]))
    let committed: Shared<Atomic<Int>>

    init(
        arenaByteCount: Int = 1 << 16, committedByteCount: Int? = nil, seed: UInt64 = 1,
        registrationLimit: Int = -1, resets: Bool = true, _ change: (inout CUDASettings) -> Void = { _ in }
    ) {
        if resets { lmc_fake_cuda_reset(seed) }
        lmc_fake_cuda_limit_registration(Int64(registrationLimit))
        var settings = CUDASettings()
        settings.slotByteCount = 3000
        settings.pinStepByteCount = 8192
        change(&settings)
        guard let base = mmap(nil, arenaByteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
            base != MAP_FAILED
        else { preconditionFailure("mmap failed") }
        memset(base, 0xa5, arenaByteCount)
        self.arena = ArenaView(base: base, byteCount: arenaByteCount)
        let committed = Shared(Atomic(committedByteCount ?? arenaByteCount))
        self.committed = committed
        self.device = CUDATransferDevice(
            arena: ArenaSource(
                view: self.arena, committedByteCount: { committed.value.load(ordering: .relaxed) }, commitAll: {}),
            settings: settings, opensProcessMemory: true, load: { try CUDADriver(finding: lmc_fake_cuda_symbol) },
            notify: { [notices] notice in notices.value.withLock { $0.append(notice) } })
    }

    deinit {
        self.device.stop()
        munmap(self.arena.base, self.arena.byteCount)
    }

    var arenaBytes: [UInt8] { Array(UnsafeRawBufferPointer(start: self.arena.base, count: self.arena.byteCount)) }

    func setArena(_ bytes: [UInt8]) {
        UnsafeMutableRawBufferPointer(start: self.arena.base, count: self.arena.byteCount).copyBytes(from: bytes)
    }

    func fillArena(seed: UInt64) {
        var random = SeededRandom(seed)
        self.setArena((0..<self.arena.byteCount).map { _ in UInt8(truncatingIfNeeded: random.next()) })
    }

    static var counts: lmc_fake_counts {
        var counts = lmc_fake_counts()
        lmc_fake_cuda_counts(&counts)
        return counts
    }

    /// Waits until page-locking has come as far as it can.
    func waitForPinning() {
        while self.device.report.isHealthy,
            (self.device.report.value("pinned_bytes") ?? 0) < self.committed.value.load(ordering: .relaxed)
        { usleep(200) }
    }

    /// Waits until everything is given back to the driver.
    static func waitForNothingOpen() -> Bool {
        for _ in 0..<20_000 {
            if self.counts.isNothingOpen { return true }
            usleep(200)
        }
        return false
    }

    /// An engine's event that has fired.
    static func firedEvent() -> [UInt8] {
        let (event, handle) = self.event()
        lmc_fake_cuda_fire_event(event)
        return handle
    }

    /// An engine's event that has not fired.
    static func event() -> (event: UInt64, handle: [UInt8]) {
        var handle = [UInt8](repeating: 0, count: 64)
        let event = lmc_fake_cuda_make_event(&handle)
        return (event, handle)
    }

    /// What the callbacks said.
    struct Outcome: Sendable {
        let isCompleted: Bool
        let enqueued: Result<[UInt8], TransferFailure>
    }

    /// Submits and waits for both callbacks; nil when it was not taken.
    static func run(
        _ memory: any EngineMemory, _ direction: Transfer.Direction, _ objects: [ObjectCopy],
        protectedBlockID: Int32? = nil, event: [UInt8]? = nil
    ) async -> Outcome? {
        let transfer = PendingTransfer(direction, objects, protectedBlockID, event: event ?? self.firedEvent())
        guard memory.submit(transfer.transfer) else { return nil }
        return await transfer.outcome
    }
}

/// A transfer and what its callbacks said.
final class PendingTransfer: Sendable {
    private struct State {
        var completed: Bool?
        var enqueued: Result<[UInt8], TransferFailure>?
        var callCount = 0
        var waiter: CheckedContinuation<CUDARig.Outcome, Never>?
    }

    let transfer: Transfer
    private let state: Shared<Mutex<State>>

    init(
        _ direction: Transfer.Direction, _ objects: [ObjectCopy], _ protectedBlockID: Int32? = nil, event: [UInt8]
    ) {
        let state = Shared(Mutex(State()))
        self.state = state
        let note: @Sendable ((inout State) -> Void) -> Void = { change in
            typealias Waiter = CheckedContinuation<CUDARig.Outcome, Never>
            let (waiter, outcome) = state.value.withLock { state -> (Waiter?, CUDARig.Outcome?) in
                change(&state)
                state.callCount += 1
                let outcome = Self.outcome(state)
                guard outcome != nil else { return (nil, nil) }
                defer { state.waiter = nil }
                return (state.waiter, outcome)
            }
            if let outcome { waiter?.resume(returning: outcome) }
        }
        self.transfer = Transfer(
            direction: direction, objects: objects, protectedBlockID: protectedBlockID, event: event,
            enqueued: { result in note { $0.enqueued = result } },
            completed: { isComplete in note { $0.completed = isComplete } })
    }

    var callCount: Int { self.state.value.withLock { $0.callCount } }
    var isEnqueued: Bool { self.state.value.withLock { $0.enqueued != nil } }
    var isCompleted: Bool? { self.state.value.withLock { $0.completed } }

    var outcome: CUDARig.Outcome {
        get async {
            await withCheckedContinuation { continuation in
                let outcome = self.state.value.withLock { state -> CUDARig.Outcome? in
                    if let outcome = Self.outcome(state) { return outcome }
                    state.waiter = continuation
                    return nil
                }
                if let outcome { continuation.resume(returning: outcome) }
            }
        }
    }

    private static func outcome(_ state: borrowing State) -> CUDARig.Outcome? {
        guard let completed = state.completed, let enqueued = state.enqueued else { return nil }
        return CUDARig.Outcome(isCompleted: completed, enqueued: enqueued)
    }
}

/// A value that closures share.
final class Shared<Value: ~Copyable & Sendable>: Sendable {
    let value: Value

    init(_ value: consuming Value) { self.value = value }
}

extension DeviceReport {
    func value(_ name: String) -> Int? { self.figures.first { $0.name == name }?.value }
}

extension lmc_fake_counts {
    var isNothingOpen: Bool {
        self.contexts == 0 && self.streams == 0 && self.events == 0 && self.imported_events == 0
            && self.device_allocations == 0 && self.host_allocations == 0 && self.registrations == 0
            && self.mappings == 0 && self.reservations == 0 && self.modules == 0
    }
}
