// lmcache · SPDX-License-Identifier: Apache-2.0

import Synchronization

/// The contexts in use, one a device, and the page-locked arena that lives as long as any of them.
///
/// Opening and closing take turns under one lock; both may take as long as the driver needs.
final class CUDAContexts: Sendable {
    /// What a registration works with until it gives it back.
    struct Lease: Sendable {
        let context: CUDAContext
        let arena: PinnedArena
    }

    private struct Entry: Sendable {
        let context: CUDAContext
        var useCount: Int
    }

    private struct State: Sendable {
        var driver: CUDADriver?
        var entries: [String: Entry] = [:]
        var arena: PinnedArena?
        /// The device whose context the arena is locked in.
        var arenaUUID = ""
    }

    private let settings: CUDASettings
    private let source: ArenaSource
    private let load: @Sendable () throws -> CUDADriver
    private let notify: @Sendable (CUDANotice) -> Void
    private let state: Mutex<State>
    /// Shared with the status page, which must not wait for an opening.
    private let shown = Mutex<[Lease]>([])

    init(
        settings: CUDASettings, source: ArenaSource, load: @escaping @Sendable () throws -> CUDADriver,
        notify: @escaping @Sendable (CUDANotice) -> Void
    ) {
        self.settings = settings
        self.source = source
        self.load = load
        self.notify = notify
        self.state = Mutex(State())
    }

    /// One for each device in use.
    var current: [Lease] { self.shown.withLock { $0 } }

    /// Retains a device's context and makes it current for the calling thread.
    func open(uuid: String) throws(CUDAOpenError) -> Lease {
        try self.state.withLock { (state) throws(CUDAOpenError) -> Lease in
            do {
                return try self.open(uuid: uuid, &state)
            } catch let error as CUDAFailure {
                throw .failed(error)
            } catch let error as CUDAOpenError {
                throw error
            } catch {
                throw .failed(.noDriver(path: self.settings.driverPath, reason: String(describing: error)))
            }
        }
    }

    private func open(uuid: String, _ state: inout State) throws -> Lease {
        if let entry = state.entries[uuid], let arena = state.arena {
            try entry.context.makeCurrent()
            state.entries[uuid]?.useCount += 1
            return Lease(context: entry.context, arena: arena)
        }
        let driver = try state.driver ?? self.load()
        state.driver = driver
        guard let device = try driver.device(uuid: uuid) else {
            throw CUDAOpenError.noDevice(uuid: uuid, present: try driver.devices().map(\.uuid))
        }
        let context = try CUDAContext(driver: driver, device: device)
        let major = driver.version / 1000
        self.notify(.info("CUDA device \(device.uuid) (\(device.name)) opened, driver for CUDA \(major)"))
        if let failure = context.kernelFailure {
            self.notify(
                .warning("Copy kernels cannot be loaded (\(failure)); fragments are copied one by one, which is slower")
            )
        }
        if state.arena == nil {
            state.arenaUUID = uuid
            state.arena = PinnedArena(
                source: self.source, context: context, stepByteCount: self.settings.pinStepByteCount,
                notify: self.notify)
        }
        state.entries[uuid] = Entry(context: context, useCount: 1)
        guard let arena = state.arena else { preconditionFailure("made above") }
        self.show(state)
        return Lease(context: context, arena: arena)
    }

    /// Gives one use back. The last one of all unlocks the arena; a device without uses loses its context.
    func close(_ lease: Lease) {
        self.state.withLock { state in
            let uuid = lease.context.device.uuid
            state.entries[uuid]?.useCount -= 1
            let isIdle = state.entries.values.allSatisfy { $0.useCount == 0 }
            if isIdle {
                state.arena?.stop()
                state.arena = nil
            }
            for (uuid, entry) in state.entries where entry.useCount == 0 && (isIdle || uuid != state.arenaUUID) {
                entry.context.release()
                state.entries[uuid] = nil
                self.notify(.info("CUDA device \(uuid) closed"))
            }
            self.show(state)
        }
    }

    private func show(_ state: borrowing State) {
        let arena = state.arena
        let leases = arena.map { arena in
            state.entries.values.map { Lease(context: $0.context, arena: arena) }
        }
        self.shown.withLock { $0 = leases ?? [] }
    }
}

/// Why a device's context is not to be had.
enum CUDAOpenError: Error, CustomStringConvertible {
    case failed(CUDAFailure)
    case noDevice(uuid: String, present: [String])

    var description: String {
        switch self {
        case .failed(let failure): "CUDA is not available: \(failure)"
        case .noDevice(let uuid, let present):
            "CUDA device \(uuid) is not visible to the server; it sees "
                + (present.isEmpty ? "none" : present.joined(separator: ", "))
        }
    }
}
