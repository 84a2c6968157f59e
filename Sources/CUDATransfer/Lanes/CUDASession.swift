// lmcache · SPDX-License-Identifier: Apache-2.0

import DeviceTransfer
import Synchronization

/// What a device counts over all registrations.
final class CUDACounters: Sendable {
    /// Bytes that went through a bounce buffer.
    let unpinnedByteCount = Atomic(0)
    /// The longest time that opening an engine's event took.
    let longestEventOpening = Atomic(0)  // in microseconds
}

/// What the two lanes of one registration share. Any thread.
final class CUDASession: Sendable {
    let lease: CUDAContexts.Lease
    let layout: KVCacheLayout
    let tensors: DeviceTensors
    let plan: FragmentPlan
    let arena: ArenaView
    let settings: CUDASettings
    let uptime: @Sendable () -> Duration
    private let exporter: ExporterProcess?
    private let counters: CUDACounters
    private let notify: @Sendable (CUDANotice) -> Void
    private let state = Mutex(State())

    private struct State {
        var isClosing = false
        var fatal: String?
    }

    var context: CUDAContext { self.lease.context }

    init(
        lease: CUDAContexts.Lease, layout: KVCacheLayout, tensors: DeviceTensors, arena: ArenaView,
        settings: CUDASettings, exporter: ExporterProcess?, counters: CUDACounters,
        uptime: @escaping @Sendable () -> Duration,
        notify: @escaping @Sendable (CUDANotice) -> Void
    ) {
        self.lease = lease
        self.layout = layout
        self.tensors = tensors
        self.plan = FragmentPlan(layout: layout, firstElements: tensors.firstElements)
        self.arena = arena
        self.settings = settings
        self.exporter = exporter
        self.counters = counters
        self.uptime = uptime
        self.notify = notify
    }

    /// False once the process that owns the memory has begun to end. True where it is not known.
    var exporterIsThere: Bool { !(self.exporter?.isGone ?? false) }

    /// Why a transfer should not wait any longer for its event.
    var giveUp: TransferFailure? {
        if self.state.withLock({ $0.isClosing }) { return .closed }
        return self.exporterIsThere ? nil : .device("the engine's process has ended")
    }

    /// How a direction's fragments are moved.
    func strategy(for direction: Transfer.Direction) -> CopyStrategy {
        if self.context.kernels == nil { return .copies }
        return self.settings.forcedStrategy
            ?? CopyStrategy.chosen(for: direction, fragmentBytes: self.plan.leastBlockByteCount)
    }

    /// False when what waited in a queue may not begin any more, because its memory may be gone.
    var mayBegin: Bool { !self.tensors.areOfProcess || !self.state.withLock { $0.isClosing } }

    /// Transfers that wait for an engine's event fail from now on.
    func close() { self.state.withLock { $0.isClosing = true } }

    /// Counts bytes that went through the bounce buffer.
    func count(unpinned byteCount: Int) {
        guard byteCount > 0 else { return }
        self.counters.unpinnedByteCount.wrappingAdd(byteCount, ordering: .relaxed)
    }

    /// Notes how long the driver took to open an engine's event.
    func count(eventOpening duration: Duration) {
        let (seconds, attoseconds) = duration.components
        let microseconds = Int(clamping: seconds) * 1_000_000 + Int(clamping: attoseconds / 1_000_000_000_000)
        self.counters.longestEventOpening.max(microseconds, ordering: .relaxed)
    }

    /// What the device's end looked like; nil while it works.
    var fatal: String? { self.state.withLock { $0.fatal } }

    /// Takes note of a failed call. The first one that ends the context is told loudly.
    func note(_ failure: CUDAFailure) {
        guard failure.isFatal else { return self.notify(.warning("CUDA copy failed: \(failure)")) }
        let text = failure.description
        let isNews = self.state.withLock { state in
            defer { state.fatal = text }
            return state.fatal == nil
        }
        guard isNews else { return }
        self.notify(
            .error(
                "CUDA device \(self.context.device.uuid) is lost: \(text). Transfers with it fail until every engine on "
                    + "it has unregistered; nothing of theirs is published"))
    }
}
