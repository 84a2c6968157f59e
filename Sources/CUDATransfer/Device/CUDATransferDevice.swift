// lmcache · SPDX-License-Identifier: Apache-2.0

import CCUDATypes
package import DeviceTransfer
package import KVModel
import NativeThreads
import Synchronization

/// All CUDA devices of the machine. Touches no driver before a worker registers.
package final class CUDATransferDevice: TransferDevice {
    package let name = "cuda"
    private let settings: CUDASettings
    private let opensProcessMemory: Bool
    private let source: ArenaSource
    private let contexts: CUDAContexts
    private let uptime: @Sendable () -> Duration
    private let notify: @Sendable (CUDANotice) -> Void
    private let counters = CUDACounters()
    private let state = Mutex(State())

    private struct State {
        var isStopped = false
        var nextNumber = 0
        var sessions: [Int: Session] = [:]
    }

    private struct Session {
        let memory: WeakMemory
        /// To be joined; empty while they are being started.
        var threads: [NativeThread] = []
        var isEnded = false
    }

    private struct WeakMemory: @unchecked Sendable {  // a weak reference, which any thread may read
        weak var memory: CUDAEngineMemory?
        let session: CUDASession
    }

    /// - Parameters:
    ///   - opensProcessMemory: Whether registrations may name device addresses of this process: only where all that
    ///     register are code of this process.
    ///   - notify: Called from any thread, for the log.
    package convenience init(
        arena: ArenaSource, settings: CUDASettings, opensProcessMemory: Bool,
        notify: @escaping @Sendable (CUDANotice) -> Void
    ) {
        let path = settings.driverPath
        self.init(
            arena: arena, settings: settings, opensProcessMemory: opensProcessMemory,
            load: { try CUDADriver(path: path) }, notify: notify)
    }

    /// - Parameters:
    ///   - load: Makes the driver, at the first registration.
    ///   - uptime: Time since any fixed moment.
    package init(
        arena: ArenaSource, settings: CUDASettings, opensProcessMemory: Bool,
        load: @escaping @Sendable () throws -> CUDADriver,
        uptime: @escaping @Sendable () -> Duration = UptimeClock.now, notify: @escaping @Sendable (CUDANotice) -> Void
    ) {
        self.settings = settings
        self.opensProcessMemory = opensProcessMemory
        self.source = arena
        self.uptime = uptime
        self.notify = notify
        self.contexts = CUDAContexts(settings: settings, source: arena, load: load, notify: notify)
    }

    package func accepts(_ descriptors: [MemoryDescriptor]) -> Bool {
        descriptors.contains {
            switch $0.storage {
            case .cpuSharedMemory: false
            case .process: self.opensProcessMemory && $0.deviceUUID != "cpu"
            case .cuda, .cudaRaw, .cudaVMM: true
            }
        }
    }

    package func open(
        _ registration: KVCacheRegistration, layout: KVCacheLayout
    ) throws(DeviceError) -> any EngineMemory {
        self.joinEnded()
        let (requests, uuid) = try DeviceTensors.requests(registration.tensors, layout: layout)
        let lease: CUDAContexts.Lease
        do throws(CUDAOpenError) {
            lease = try self.contexts.open(uuid: uuid)
        } catch {
            throw .unavailable(error.description)
        }
        do throws(DeviceError) {
            let memory = try self.memory(registration, layout: layout, requests: requests, lease: lease)
            try self.start(memory)
            return memory
        } catch {
            self.contexts.close(lease)
            throw error
        }
    }

    private func memory(
        _ registration: KVCacheRegistration, layout: KVCacheLayout, requests: [DeviceTensorRequest],
        lease: CUDAContexts.Lease
    ) throws(DeviceError) -> CUDAEngineMemory {
        let tensors = try DeviceTensors(
            requests, tensorCount: registration.tensors.count, allocations: lease.context.allocations)
        let session = CUDASession(
            lease: lease, layout: layout, tensors: tensors, arena: self.source.view, settings: self.settings,
            exporter: registration.exporter, counters: self.counters, uptime: self.uptime, notify: self.notify)
        SharingEvents(driver: lease.context.driver, uptime: self.uptime).wait(for: registration.tensors)
        do throws(DeviceError) {
            guard session.plan.largestBlockByteCount <= 256 << 20 else {
                throw .invalid(
                    "one block has \(session.plan.largestBlockByteCount) bytes; at most 256 MiB are accepted")
            }
            do throws(CUDAFailure) {
                return try CUDAEngineMemory(session: session)
            } catch {
                throw .unavailable("device \(lease.context.device.uuid): \(error)")
            }
        } catch {
            tensors.close(in: lease.context.allocations)
            throw error
        }
    }

    /// Starts the threads, unless the device has stopped.
    private func start(_ memory: CUDAEngineMemory) throws(DeviceError) {
        let session = memory.session
        let number = self.state.withLock { state -> Int? in
            guard !state.isStopped else { return nil }
            state.nextNumber += 1
            state.sessions[state.nextNumber] = Session(memory: WeakMemory(memory: memory, session: session))
            return state.nextNumber
        }
        guard let number else {
            memory.discard()
            session.tensors.close(in: session.context.allocations)
            throw .stopped
        }
        let threads = memory.start { @Sendable [self] in self.ended(number, session) }
        self.state.withLock { $0.sessions[number]?.threads = threads }
    }

    /// Called by the last thread of a registration.
    private func ended(_ number: Int, _ session: CUDASession) {
        if (try? session.context.makeCurrent()) != nil {
            session.tensors.close(in: session.context.allocations)
        }
        self.contexts.close(session.lease)
        self.state.withLock { $0.sessions[number]?.isEnded = true }
    }

    private func joinEnded() {
        let ended = self.state.withLock { state in
            let ended = state.sessions.filter { $0.value.isEnded && !$0.value.threads.isEmpty }
            for number in ended.keys { state.sessions[number] = nil }
            return ended.values.flatMap(\.threads)
        }
        for thread in ended { thread.join() }
    }

    package func stop() {
        let sessions = self.state.withLock { state in
            state.isStopped = true
            defer { state.sessions = [:] }
            return Array(state.sessions.values)
        }
        for session in sessions { session.memory.memory?.close() }
        for session in sessions { for thread in session.threads { thread.join() } }
    }

    package var report: DeviceReport {
        var report = DeviceReport()
        let leases = self.contexts.current
        let sessions = self.state.withLock { $0.sessions.values.filter { !$0.isEnded }.map(\.memory.session) }
        report.figures.append(.init("registrations", sessions.count))
        report.figures.append(.init("open_devices", leases.count))
        report.figures.append(.init("mapped_allocations", leases.reduce(0) { $0 + $1.context.allocations.count }))
        report.figures.append(
            .init("unpinned_bytes_copied", self.counters.unpinnedByteCount.load(ordering: .relaxed)))
        report.figures.append(
            .init("longest_event_opening_us", self.counters.longestEventOpening.load(ordering: .relaxed)))
        if let arena = leases.first?.arena {
            report.figures.append(.init("pinned_bytes", arena.steps.pinnedByteCount))
            report.figures.append(.init("pinnable_bytes", arena.steps.byteCount))
            if let failure = arena.failure {
                report.isHealthy = false
                report.notes.append("pinning: \(failure)")
            }
        }
        for lease in leases {
            guard let failure = lease.context.kernelFailure else { continue }
            report.isHealthy = false
            report.notes.append("kernels: \(failure)")
        }
        for session in sessions {
            guard let fatal = session.fatal else { continue }
            report.isHealthy = false
            report.notes.append("device \(session.context.device.uuid): \(fatal)")
        }
        return report
    }
}

extension KVCacheRegistration {
    /// The process that owns the memory, where it can be told and is seen here.
    fileprivate var exporter: ExporterProcess? {
        for tensor in self.tensors {
            guard case .cuda(let storage) = tensor.storage,
                let number = ExporterProcess.number(inCounterName: storage.referenceCounterName)
            else { continue }
            return ExporterProcess(number: number)
        }
        return nil
    }
}
