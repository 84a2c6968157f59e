// lmcache · SPDX-License-Identifier: Apache-2.0

import Synchronization

@testable import L1Cache

/// The real system calls, counted; the call with one number fails, and what is open is known.
final class FaultySystem: ArenaSystem {
    struct Log {
        var calls: [String] = []
        var failingCall: Int?
        var failureErrno: Int32 = 5
        var descriptors: Set<Int32> = []
        var mappings = 0
        var segments: Set<String> = []
        var segmentCapacity: Int? = 1 << 40
        /// Bytes that the file system still gives.
        var freeBytes = Int.max
        var ranges: [Range<Int>] = []
        /// Called in the middle of each `allocate`.
        var whileAllocating: (@Sendable () -> Void)?
    }

    private let real = LinuxArenaSystem()
    let log: Mutex<Log>

    init(failingCall: Int? = nil, errno: Int32 = 5) {
        var log = Log()
        log.failingCall = failingCall
        log.failureErrno = errno
        self.log = Mutex(log)
    }

    /// True when nothing is open, mapped or named.
    var isClean: Bool {
        self.log.withLock { $0.descriptors.isEmpty && $0.mappings == 0 && $0.segments.isEmpty }
    }

    var callCount: Int { self.log.withLock { $0.calls.count } }

    private func enter(_ call: String) throws(SystemCallError) {
        let errno: Int32? = self.log.withLock { log in
            log.calls.append(call)
            return log.calls.count == log.failingCall ? log.failureErrno : nil
        }
        if let errno { throw SystemCallError(call: call, errno: errno) }
    }

    func createSegment(_ name: String) throws(SystemCallError) -> Int32 {
        try self.enter("createSegment")
        let descriptor = try self.real.createSegment(name)
        self.log.withLock {
            $0.descriptors.insert(descriptor)
            $0.segments.insert(name)
        }
        return descriptor
    }

    func openSegment(_ name: String) throws(SystemCallError) -> Int32 {
        try self.enter("openSegment")
        let descriptor = try self.real.openSegment(name)
        self.log.withLock { _ = $0.descriptors.insert(descriptor) }
        return descriptor
    }

    func unlinkSegment(_ name: String) throws(SystemCallError) {
        try self.enter("unlinkSegment")
        try self.real.unlinkSegment(name)
        self.log.withLock { _ = $0.segments.remove(name) }
    }

    func lock(_ descriptor: Int32) throws(SystemCallError) -> Bool {
        try self.enter("lock")
        return try self.real.lock(descriptor)
    }

    func describe(_ descriptor: Int32) throws(SystemCallError) -> SegmentDescription {
        try self.enter("describe")
        return try self.real.describe(descriptor)
    }

    func createAnonymous(_ name: String) throws(SystemCallError) -> Int32 {
        try self.enter("createAnonymous")
        let descriptor = try self.real.createAnonymous(name)
        self.log.withLock { _ = $0.descriptors.insert(descriptor) }
        return descriptor
    }

    func resize(_ descriptor: Int32, byteCount: Int) throws(SystemCallError) {
        try self.enter("resize")
        try self.real.resize(descriptor, byteCount: byteCount)
    }

    func map(_ descriptor: Int32, byteCount: Int) throws(SystemCallError) -> MappedMemory {
        try self.enter("map")
        let memory = try self.real.map(descriptor, byteCount: byteCount)
        self.log.withLock { $0.mappings += 1 }
        return memory
    }

    func unmap(_ memory: MappedMemory) {
        self.real.unmap(memory)
        self.log.withLock { $0.mappings -= 1 }
    }

    func allocate(_ descriptor: Int32, offset: Int, byteCount: Int) throws(SystemCallError) {
        try self.enter("allocate")
        let isGiven = self.log.withLock { log in
            guard log.freeBytes >= byteCount else { return false }
            log.freeBytes -= byteCount
            log.ranges.append(offset..<offset + byteCount)
            return true
        }
        self.log.withLock { $0.whileAllocating }?()
        guard isGiven else { throw SystemCallError(call: "fallocate", errno: 28) }
        try self.real.allocate(descriptor, offset: offset, byteCount: byteCount)
    }

    func populate(_ memory: MappedMemory, offset: Int, byteCount: Int) {
        self.real.populate(memory, offset: offset, byteCount: byteCount)
    }

    func close(_ descriptor: Int32) {
        self.real.close(descriptor)
        self.log.withLock { _ = $0.descriptors.remove(descriptor) }
    }

    func segmentCapacity() -> Int? { self.log.withLock { $0.segmentCapacity } }
    var userID: UInt32 { self.real.userID }
    var processID: Int32 { self.real.processID }
}
