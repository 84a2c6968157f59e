// lmcache · SPDX-License-Identifier: Apache-2.0

import CCUDATypes
import DeviceTransfer

/// An engine's event as it travels; its form is told by its length. Wire protocol §3.6.
enum EngineEventHandle {
    /// 64 bytes: the driver's own.
    case interprocess(lmc_cu_handle)
    /// 81 bytes: a place in the engine's buffer of semaphores and the number that it reaches.
    case timeline(TimelineHandle)
    /// 16 bytes: an event of this process.
    case local(OpaquePointer)

    /// Before the address in an event of this process.
    static let localMark = Array("cu_event".utf8)

    /// - Parameter acceptsLocal: Whether addresses of this process are accepted: only for registrations of its own
    ///   memory.
    init(_ bytes: [UInt8], acceptsLocal: Bool) throws(TransferFailure) {
        if acceptsLocal, let event = Self.local(bytes) {
            self = .local(event)
        } else if let handle = lmc_cu_handle(bytes) {
            self = .interprocess(handle)
        } else if bytes.count == TimelineHandle.byteCount {
            self = .timeline(try TimelineHandle(bytes))
        } else {
            throw .device(
                "an event of \(bytes.count) bytes is not a CUDA event; 64 (interprocess handle) and "
                    + "\(TimelineHandle.byteCount) (timeline semaphore) are accepted")
        }
    }
}

extension EngineEventHandle {
    private static func local(_ bytes: [UInt8]) -> OpaquePointer? {
        guard bytes.count == 16, bytes.starts(with: Self.localMark) else { return nil }
        let address = bytes[8...].reversed().reduce(UInt(0)) { $0 << 8 | UInt($1) }
        return OpaquePointer(bitPattern: address)
    }

    /// An event of this process as it travels to its own code.
    static func bytes(local event: OpaquePointer) -> [UInt8] {
        let address = UInt(bitPattern: event)
        return Self.localMark + (0..<8).map { UInt8(truncatingIfNeeded: address >> (8 * UInt($0))) }
    }
}

/// A timeline semaphore's place and number.
struct TimelineHandle: Equatable {
    static let byteCount = 81
    static let bufferByteCount = 32_768

    /// The driver's handle of the buffer, 64 bytes.
    let memory: [UInt8]
    let offset: Int
    /// 0: nothing to wait for.
    let sequence: UInt64

    init(memory: [UInt8], offset: Int, sequence: UInt64) {
        self.memory = memory
        self.offset = offset
        self.sequence = sequence
    }

    /// - Parameter bytes: 81 of them.
    init(_ bytes: [UInt8]) throws(TransferFailure) {
        precondition(bytes.count == Self.byteCount, "the form is told by the length")
        guard bytes[0] == 1 else {
            throw .device("a timeline event of version \(bytes[0]) is not known; version 1 is accepted")
        }
        let offset = Self.number(bytes[65..<73])
        guard offset % 8 == 0, offset < UInt64(Self.bufferByteCount) else {
            throw .device(
                "a timeline event at offset \(offset) is not accepted; multiples of 8 below "
                    + "\(Self.bufferByteCount) are")
        }
        self.memory = Array(bytes[1..<65])
        self.offset = Int(offset)
        self.sequence = Self.number(bytes[73..<81])
    }

    var bytes: [UInt8] { [1] + self.memory + Self.bytes(UInt64(self.offset)) + Self.bytes(self.sequence) }

    private static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }

    private static func bytes(_ number: UInt64) -> [UInt8] {
        stride(from: UInt64(56), through: 0, by: -8).map { UInt8(truncatingIfNeeded: number >> $0) }
    }
}
