// lmcache · SPDX-License-Identifier: Apache-2.0

import Synchronization

/// The memory of the first tier: mapped whole at start, backed step by step, never read or written here.
///
/// Only committed bytes are ever handed out, so no access can run into a full file system (SIGBUS).
final class Arena: Sendable {
    let memory: MappedMemory
    let capacityBytes: Int
    /// Why the memory has no name although one was wanted.
    let fallbackReason: String?
    private let segment: ArenaSegment
    private let system: any ArenaSystem
    private let step: Int
    private let progress: Mutex<Progress>

    private struct Progress {
        var committedBytes = 0
        var isClosed = false
    }

    /// Makes and maps the file.
    ///
    /// Commits nothing yet.
    init(_ configuration: L1Configuration, capacityBytes: Int, system: some ArenaSystem) throws(L1Error) {
        self.system = system
        self.capacityBytes = capacityBytes
        self.step = configuration.growthStepBytes
        let available = system.segmentCapacity()
        if configuration.isSharedByName, let available, available >= capacityBytes {
            let name = try ArenaSegment.fullName(configuration.segmentName, processID: system.processID)
            self.segment = try ArenaSegment.create(name, system: system)
            self.fallbackReason = nil
        } else {
            self.segment = try ArenaSegment.createAnonymous(system: system)
            self.fallbackReason = configuration.isSharedByName ? Self.reason(available, capacityBytes) : nil
        }
        do {
            try system.resize(self.segment.descriptor, byteCount: capacityBytes)
            self.memory = try system.map(self.segment.descriptor, byteCount: capacityBytes)
        } catch {
            self.segment.destroy(system: system)
            throw .system(call: error.call, errno: error.errno)
        }
        self.progress = Mutex(Progress())
    }

    /// Name without a leading slash; nil when engines cannot open the memory.
    var name: String? { self.segment.name }

    /// Commits one step, or more when an object needs more, up to the capacity.
    ///
    /// One caller at a time; the others wait.
    ///
    /// `added` runs before the next caller's turn, with the bytes that are usable from now on; 0 at the capacity.
    func grow(atLeast byteCount: Int, added: (Int) -> Void) throws(SystemCallError) {
        try self.progress.withLock { (progress) throws(SystemCallError) -> Void in
            try self.grow(&progress, by: max(self.step, byteCount), needed: byteCount, added: added)
        }
    }

    /// Commits exactly this much, or what is left of the capacity, unless another caller is committing: then it returns
    /// false at once.
    func growUnlessBusy(by byteCount: Int, needed: Int, added: (Int) -> Void) throws(SystemCallError) -> Bool {
        let isDone: Void? = try self.progress.withLockIfAvailable { (progress) throws(SystemCallError) -> Void in
            try self.grow(&progress, by: byteCount, needed: needed, added: added)
        }
        return isDone != nil
    }

    /// Unmaps the memory and forgets its name.
    ///
    /// Nobody may touch the memory any more.
    func close(keepsMapping: Bool = false) {
        self.progress.withLock { progress in
            guard !progress.isClosed else { return }
            progress.isClosed = true
            if !keepsMapping { self.system.unmap(self.memory) }
            self.segment.destroy(system: self.system)
        }
    }

    private func grow(
        _ progress: inout Progress, by byteCount: Int, needed: Int, added: (Int) -> Void
    ) throws(SystemCallError) {
        let offset = progress.committedBytes
        let wanted = min(byteCount, self.capacityBytes - offset)
        guard wanted > 0, !progress.isClosed else { return added(0) }
        let length = try self.commit(offset: offset, wanted: wanted, needed: needed)
        progress.committedBytes += length
        added(length)
    }

    /// A whole step, or what one object needs when the step does not fit any more.
    private func commit(offset: Int, wanted: Int, needed: Int) throws(SystemCallError) -> Int {
        var length = wanted
        do throws(SystemCallError) {
            try self.system.allocate(self.segment.descriptor, offset: offset, byteCount: length)
        } catch {
            guard needed > 0, needed < wanted else { throw error }
            length = needed
            try self.system.allocate(self.segment.descriptor, offset: offset, byteCount: length)
        }
        self.system.populate(self.memory, offset: offset, byteCount: length)
        return length
    }

    private static func reason(_ available: Int?, _ capacityBytes: Int) -> String {
        guard let available else {
            return "there is no /dev/shm; engines on this host send bytes in messages instead of sharing memory"
        }
        return "/dev/shm holds \(available) bytes and --l1-size-gb asks for \(capacityBytes); engines on this host "
            + "send bytes in messages instead of sharing memory (mount a larger /dev/shm to change that)"
    }
}
