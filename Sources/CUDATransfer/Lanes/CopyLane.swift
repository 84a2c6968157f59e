// lmcache · SPDX-License-Identifier: Apache-2.0

import CCUDATypes
import DeviceTransfer
import NativeThreads
import Synchronization

/// What a lane is given.
enum LaneWork: Sendable {
    case transfer(Transfer)
    case checksums(ChecksumRequest, @Sendable (Result<ChunkChecksums, ChecksumError>) -> Void)
}

/// One registration's copies in one direction: two streams, and two threads of which one enqueues and one completes.
///
/// Stores and loads of one worker never wait for each other.
final class CopyLane: @unchecked Sendable {  // what is not Sendable below is used by `enqueue`'s thread alone
    private let direction: Transfer.Direction
    private let session: CUDASession
    private let queue: BoundedQueue<LaneWork>
    private let completions: CompletionQueue
    private let resources: LaneResources
    private let enqueuer: BatchEnqueuer
    private let exporter: CompletionExporter
    /// Page-locked, 8 bytes.
    private let word: UnsafeMutableRawPointer
    /// Semaphore buffers of the engine, mapped until the session ends.
    private var semaphores: [AllocationTable.Key: AllocationTable.Range] = [:]
    /// The last event of the engine that was opened. The memory behind an engine's events is mapped while one of them is
    /// open, and neither mapping nor unmapping should fall between copies.
    private var imported: OpaquePointer?
    private let running = Mutex(2)

    /// Makes streams and memory; the context must be current. Nothing stays when it throws.
    init(direction: Transfer.Direction, session: CUDASession) throws(CUDAFailure) {
        let resources = LaneResources(driver: session.context.driver)
        do throws(CUDAFailure) {
            self.enqueuer = try BatchEnqueuer(
                direction: direction, lease: session.lease, arena: session.arena, plan: session.plan,
                settings: session.settings, resources: resources)
            self.word = try resources.hostMemory(byteCount: 8)
        } catch {
            resources.release()
            throw error
        }
        self.direction = direction
        self.session = session
        self.resources = resources
        self.exporter = CompletionExporter(resources: resources, slot: direction == .store ? 1 : 2)
        self.queue = BoundedQueue(capacity: session.settings.queueLimit)
        self.completions = CompletionQueue(limit: session.settings.queueLimit, context: session.context)
    }

    func submit(_ work: LaneWork) -> Bool { self.queue.push(work) }

    /// Refuses further transfers; those taken are finished.
    func close() { self.queue.close() }

    /// Gives back what it made, of a lane whose threads were never started.
    func discard() { self.resources.release() }

    /// Starts both threads. `ended` is called once by the last of them to end, with everything given back.
    func start(ended: @escaping @Sendable () -> Void) -> [NativeThread] {
        let name = self.direction == .store ? "store" : "load"
        let enqueue = NativeThread(name: "lmc-cuda-\(name)") { @Sendable [self] in
            self.enqueueAll()
            self.completions.close()
            self.leave(ended)
        }
        let complete = NativeThread(name: "lmc-cuda-\(name)d") { @Sendable [self] in
            self.completions.run(mayPublish: { self.mayPublish }) { self.session.note($0) }
            self.leave(ended)
        }
        return [enqueue, complete]
    }

    /// A store's bytes are worth nothing once their process is gone; see ``ExporterProcess``.
    private var mayPublish: Bool { self.direction == .load || self.session.exporterIsThere }

    private func leave(_ ended: () -> Void) {
        let left = self.running.withLock { running in
            running -= 1
            return running
        }
        guard left == 0 else { return }
        if (try? self.session.context.makeCurrent()) != nil {
            self.resources.release()
            self.keepOpen(nil)
            for key in self.semaphores.keys { self.session.context.allocations.close(key) }
        }
        ended()
    }
}

// MARK: The enqueuing thread

extension CopyLane {
    private func enqueueAll() {
        try? self.session.context.makeCurrent()
        while let work = self.queue.pop() {
            guard case .transfer(let transfer) = work else {
                if case .checksums(let request, let completion) = work { completion(self.checksums(request)) }
                continue
            }
            do throws(TransferFailure) {
                transfer.enqueued(.success(try self.enqueue(transfer)))
            } catch {
                // Nothing of this transfer may still write when its places are given away.
                self.enqueuer.settle()
                transfer.completed(false)
                transfer.enqueued(.failure(error))
            }
        }
    }

    /// Enqueues a transfer with its completion. Returns the event's handle; when it throws, the callbacks are still to
    /// be called.
    private func enqueue(_ transfer: Transfer) throws(TransferFailure) -> [UInt8] {
        if let refusal = self.session.layout.refusal(of: transfer, arenaByteCount: self.session.arena.byteCount) {
            throw refusal
        }
        guard self.session.mayBegin else { throw .closed }
        self.enqueuer.begin()
        try self.wait(for: transfer.event)
        do throws(CUDAFailure) {
            let strategy = self.session.strategy(for: self.direction)
            try self.session.plan.forEachBatch(
                of: transfer,
                cutter: BatchCutter(
                    slotByteCount: self.enqueuer.ring.slotByteCount, fragmentLimit: StagingRing.fragmentLimit),
                longestRun: strategy == .copies ? Int.max : FragmentPlan.longestRunOfKernels
            ) { (batch) throws(CUDAFailure) in
                try self.enqueuer.enqueue(batch, strategy: strategy)
            }
            self.session.count(unpinned: self.enqueuer.unpinnedByteCount)
            return try self.finish(transfer)
        } catch {
            self.session.note(error)
            throw error.asTransferFailure
        }
    }

    /// Reads the pages one by one; a diagnostic may take its time.
    private func checksums(_ request: ChecksumRequest) -> Result<ChunkChecksums, ChecksumError> {
        guard self.session.mayBegin else { return .failure(.closed) }
        let (driver, stream) = (self.session.context.driver, self.enqueuer.transfers)
        var failure: CUDAFailure?
        let result = request.run(layout: self.session.layout) { tensor, offset, count, body in
            guard failure == nil, let first = self.session.tensors.firstElements[tensor] else { return }
            let page = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 16)
            defer { page.deallocate() }
            do throws(CUDAFailure) {
                let code = lmc_cuda_copy_to_host(
                    driver.calls, page.baseAddress, first + UInt64(offset), count, stream)
                try driver.check("cuMemcpyDtoHAsync", code)
                try driver.check("cuStreamSynchronize", lmc_cuda_stream_synchronize(driver.calls, stream))
                body(UnsafeRawBufferPointer(page))
            } catch {
                failure = error
            }
        }
        return failure.map { .failure(.device($0.description)) } ?? result
    }

    private func finish(_ transfer: Transfer) throws(CUDAFailure) -> [UInt8] {
        let streams = try self.enqueuer.end()
        let handle = try self.exporter.export(after: streams.engine, form: transfer.event)
        let driver = self.session.context.driver
        let event = try self.completions.takeEvent(self.resources)
        try driver.check("cuEventRecord", lmc_cuda_event_record(driver.calls, event, streams.completion))
        let pending = CompletionQueue.Pending(
            event: event, completed: transfer.completed, hostCopies: self.enqueuer.hostCopies)
        if !self.completions.push(pending) {
            try driver.check("cuEventSynchronize", lmc_cuda_event_synchronize(driver.calls, event))
            transfer.completed(self.mayPublish)
        }
        return handle
    }

    private func wait(for event: [UInt8]) throws(TransferFailure) {
        let wait = EventWait(
            context: self.session.context, acceptsLocal: self.session.tensors.areOfProcess,
            giveUp: { self.session.giveUp }, uptime: self.session.uptime,
            keepOpen: { self.keepOpen($0) }, opened: { self.session.count(eventOpening: $0) },
            keepMapped: { (key) throws(CUDAFailure) in try self.keepMapped(key) })
        try wait.wait(for: event, stream: self.enqueuer.transfers, word: self.word) {
            (event) throws(CUDAFailure) in try self.enqueuer.wait(for: event)
        }
    }

    private func keepOpen(_ event: OpaquePointer?) {
        if let imported = self.imported { _ = lmc_cuda_event_destroy(self.session.context.driver.calls, imported) }
        self.imported = event
    }

    private func keepMapped(_ key: AllocationTable.Key) throws(CUDAFailure) -> AllocationTable.Range {
        if let known = self.semaphores[key] { return known }
        let range = try self.session.context.allocations.open(key, byteCount: TimelineHandle.bufferByteCount)
        self.semaphores[key] = range
        return range
    }
}
