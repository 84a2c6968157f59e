// lmcache · SPDX-License-Identifier: Apache-2.0

import Synchronization

@testable import DeviceTransfer

/// Shared-memory segments in ordinary memory, with a system call that fails on request.
final class FakeSharedMemory: SharedMemoryCalls, @unchecked Sendable {  // every field is guarded by `state`
    struct Segment: @unchecked Sendable {  // the memory lives as long as the fake
        let base: UnsafeMutableRawPointer
        let allocated: Int
        var byteCount: Int
        var owner: UInt32 = 1000
        var isRegularFile = true
    }

    struct State {
        var segments: [String: Segment] = [:]
        var open: [Int32: String] = [:]
        var nextDescriptor: Int32 = 3
        var mapCount = 0
        var callCount = 0
        var failingCall: Int?
        var openedNames: [String] = []
    }

    let state = Mutex(State())

    deinit {
        self.state.withLock { state in for segment in state.segments.values { segment.base.deallocate() } }
    }

    /// Adds a segment filled with a pattern and gives its memory.
    @discardableResult
    func add(_ name: String, byteCount: Int, seed: UInt64 = 1) -> UnsafeMutableRawBufferPointer {
        let base = UnsafeMutableRawPointer.allocate(byteCount: max(1, byteCount), alignment: 4096)
        let bytes = UnsafeMutableRawBufferPointer(start: base, count: byteCount)
        var random = SeededRandom(seed)
        for index in bytes.indices { bytes[index] = UInt8(truncatingIfNeeded: random.next()) }
        let segment = Segment(base: base, allocated: byteCount, byteCount: byteCount)
        self.state.withLock { $0.segments[name] = segment }
        return bytes
    }

    func change(_ name: String, _ body: @Sendable (inout Segment) -> Void) {
        self.state.withLock { state in
            guard var segment = state.segments[name] else { return }
            body(&segment)
            state.segments[name] = segment
        }
    }

    /// Call number `call`, counted from 1, fails once.
    func fail(call: Int?) {
        self.state.withLock {
            $0.failingCall = call
            $0.callCount = 0
        }
    }

    var leftOpen: Int { self.state.withLock { $0.open.count + $0.mapCount } }

    func open(_ name: String) -> Result<Int32, SystemError> {
        self.state.withLock { state in
            if Self.fails(&state) { return .failure(SystemError(code: 24)) }
            guard state.segments[name] != nil else { return .failure(SystemError(code: 2)) }
            state.nextDescriptor += 1
            state.open[state.nextDescriptor] = name
            state.openedNames.append(name)
            return .success(state.nextDescriptor)
        }
    }

    func status(_ descriptor: Int32) -> Result<SegmentStatus, SystemError> {
        self.state.withLock { state in
            if Self.fails(&state) { return .failure(SystemError(code: 5)) }
            guard let name = state.open[descriptor], let segment = state.segments[name] else {
                return .failure(SystemError(code: 9))
            }
            return .success(
                SegmentStatus(
                    byteCount: segment.byteCount, owner: segment.owner, isRegularFile: segment.isRegularFile))
        }
    }

    func map(_ descriptor: Int32, byteCount: Int) -> Result<UnsafeMutableRawPointer, SystemError> {
        self.state.withLock { state in
            if Self.fails(&state) { return .failure(SystemError(code: 12)) }
            guard let name = state.open[descriptor], let segment = state.segments[name] else {
                return .failure(SystemError(code: 9))
            }
            precondition(byteCount <= segment.allocated, "a mapping beyond the segment")
            state.mapCount += 1
            return .success(segment.base)
        }
    }

    func unmap(_ base: UnsafeMutableRawPointer, byteCount: Int) {
        self.state.withLock { $0.mapCount -= 1 }
    }

    func close(_ descriptor: Int32) {
        self.state.withLock {
            precondition($0.open[descriptor] != nil, "a descriptor is closed once")
            $0.open[descriptor] = nil
        }
    }

    func effectiveUser() -> UInt32 { 1000 }

    private static func fails(_ state: inout State) -> Bool {
        state.callCount += 1
        return state.callCount == state.failingCall
    }
}

/// SplitMix64: the same numbers on every run.
struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { self.state = seed }

    mutating func next() -> UInt64 {
        self.state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = self.state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}

/// Reads hex digits, ignoring white space.
func bytes(hex: String) -> [UInt8] {
    let digits = hex.compactMap(\.hexDigitValue)
    return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] * 16 + digits[$0 + 1]) }
}
