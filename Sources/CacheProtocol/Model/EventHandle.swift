// lmcache · SPDX-License-Identifier: Apache-2.0

/// The forms of an engine's event handle, told apart by length.
///
/// Wire protocol §3.6.
package enum EventHandle: Sendable, Equatable {
    /// 64 bytes: a `cudaIpcEventHandle_t`.
    case cudaInterprocess([UInt8])
    /// 81 bytes: a slot of a semaphore buffer in device memory.
    case timelineSemaphore(TimelineSemaphore)
    /// Anything else; on CPU the bytes mean nothing.
    case opaque([UInt8])

    /// What a CPU server answers, and CPU clients send.
    package static let cpuStub: [UInt8] = Array("stub_ipc_handle".utf8)

    /// Reads a handle.
    ///
    /// 81 bytes that are no valid semaphore are opaque.
    package init(bytes: [UInt8]) {
        if bytes.count == 64 {
            self = .cudaInterprocess(bytes)
        } else if let semaphore = TimelineSemaphore(bytes: bytes) {
            self = .timelineSemaphore(semaphore)
        } else {
            self = .opaque(bytes)
        }
    }

    package var bytes: [UInt8] {
        switch self {
        case .cudaInterprocess(let bytes), .opaque(let bytes): bytes
        case .timelineSemaphore(let semaphore): semaphore.bytes
        }
    }
}

/// A point in a timeline: reached when the slot's counter is `sequence` or more.
///
/// Big-endian, packed, 81 bytes.
package struct TimelineSemaphore: Sendable, Equatable {
    /// `cudaIpcMemHandle_t` of the exporter's buffer, 64 bytes.
    package let memoryHandle: [UInt8]
    /// Bytes from the start of the buffer; a multiple of 8 below ``bufferByteCount``.
    package let slotOffset: UInt64
    /// 0: complete already.
    package let sequence: UInt64

    package static let byteCount = 81
    package static let bufferByteCount: UInt64 = 32_768

    /// Nil unless the handle has 64 bytes and the offset names a slot.
    package init?(memoryHandle: [UInt8], slotOffset: UInt64, sequence: UInt64) {
        guard memoryHandle.count == 64, slotOffset.isMultiple(of: 8), slotOffset < Self.bufferByteCount else {
            return nil
        }
        self.memoryHandle = memoryHandle
        self.slotOffset = slotOffset
        self.sequence = sequence
    }

    /// Nil unless the bytes are version 1 of this form.
    package init?(bytes: [UInt8]) {
        guard bytes.count == Self.byteCount, bytes[0] == 1 else { return nil }
        let number = { (range: Range<Int>) in bytes[range].reduce(UInt64(0)) { $0 << 8 | UInt64($1) } }
        self.init(memoryHandle: Array(bytes[1..<65]), slotOffset: number(65..<73), sequence: number(73..<81))
    }

    package var bytes: [UInt8] {
        let numbers = [self.slotOffset, self.sequence].flatMap { number in
            stride(from: 56, through: 0, by: -8).map { UInt8(truncatingIfNeeded: number >> UInt64($0)) }
        }
        return [1] + self.memoryHandle + numbers
    }
}
