// lmcache · SPDX-License-Identifier: Apache-2.0

internal import KVModel

/// The journal's file format.
///
/// Pure; any bytes decode to something.
///
/// File: 8 bytes ``header``, then records. Record, numbers little-endian: body length (4 bytes), CRC-32C of those
/// 4 bytes and the body (4), body. Body: kind (1: registration kind, with 0x80 set for its end), instance id (8), and
/// for registrations the frame count (2) and for each frame its length (4) and bytes.
package enum JournalCodec {
    /// Names the format and its version.
    package static let header: [UInt8] = Array("lmcjrnl".utf8) + [1]
    private static let endFlag: UInt8 = 0x80
    private static let prefixByteCount = 8

    /// What a file holds.
    package struct Content: Sendable, Equatable {
        package var records: [JournalRecord] = []
        /// Length of the intact part, header included.
        package var intactByteCount = 0
        /// Bytes after the intact part: a torn or damaged record and everything behind it.
        package var droppedByteCount = 0

        /// True when the file's end could not be used.
        package var isTailDropped: Bool { self.droppedByteCount > 0 }
    }

    /// Encodes one record, or returns nil when it has too many frames (65,536) or bytes (4 GiB).
    package static func encode(_ record: JournalRecord) -> [UInt8]? {
        var body: [UInt8] = []
        switch record {
        case .unregistered(let kind, let instance):
            body.append(kind.rawValue | self.endFlag)
            body.append(littleEndian: UInt64(bitPattern: instance.rawValue))
        case .registered(let registration):
            guard let frameCount = UInt16(exactly: registration.frames.count) else { return nil }
            body.append(registration.kind.rawValue)
            body.append(littleEndian: UInt64(bitPattern: registration.instance.rawValue))
            body.append(littleEndian: frameCount)
            for frame in registration.frames {
                guard let length = UInt32(exactly: frame.count) else { return nil }
                body.append(littleEndian: length)
                body.append(contentsOf: frame)
            }
        }
        guard let length = UInt32(exactly: body.count) else { return nil }
        var result: [UInt8] = []
        result.reserveCapacity(self.prefixByteCount + body.count)
        result.append(littleEndian: length)
        let checksum = CRC32C.checksum(result + body)
        result.append(littleEndian: checksum)
        return result + body
    }

    /// Decodes a whole file, or returns nil when it does not start like a journal.
    ///
    /// Stops at the first record that is torn or damaged: nothing after it can be trusted to be a record. An empty file
    /// and a torn header are an empty journal.
    package static func decode(_ bytes: [UInt8]) -> Content? {
        guard bytes.starts(with: self.header) else {
            guard self.header.starts(with: bytes) else { return nil }
            return Content(droppedByteCount: bytes.count)
        }
        var content = Content(intactByteCount: self.header.count)
        var reader = JournalReader(bytes[self.header.count...])
        while let record = self.decodeRecord(&reader) {
            content.records.append(record)
            content.intactByteCount = bytes.count - reader.remaining
        }
        content.droppedByteCount = bytes.count - content.intactByteCount
        return content
    }

    private static func decodeRecord(_ reader: inout JournalReader) -> JournalRecord? {
        let lengthBytes = reader.rest.prefix(4)
        guard let length = reader.number(UInt32.self), let checksum = reader.number(UInt32.self),
            let body = reader.take(UInt64(length)), CRC32C.checksum(Array(lengthBytes + body)) == checksum
        else { return nil }
        return self.decodeBody(body)
    }

    private static func decodeBody(_ body: ArraySlice<UInt8>) -> JournalRecord? {
        var reader = JournalReader(body)
        guard let tag = reader.number(UInt8.self), let number = reader.number(UInt64.self),
            let kind = JournaledRegistration.Kind(rawValue: tag & ~self.endFlag)
        else { return nil }
        let instance = InstanceID(Int64(bitPattern: number))
        if tag & self.endFlag != 0 { return reader.remaining == 0 ? .unregistered(kind, instance) : nil }
        guard let frameCount = reader.number(UInt16.self) else { return nil }
        var frames: [[UInt8]] = []
        for _ in 0..<frameCount {
            guard let length = reader.number(UInt32.self), let frame = reader.take(UInt64(length)) else { return nil }
            frames.append(Array(frame))
        }
        guard reader.remaining == 0 else { return nil }
        return .registered(JournaledRegistration(kind: kind, instance: instance, frames: frames))
    }
}

/// Reads numbers and byte runs from the front of a slice, never past its end.
private struct JournalReader {
    private(set) var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) {
        self.rest = bytes
    }

    var remaining: Int { self.rest.count }

    mutating func take(_ count: UInt64) -> ArraySlice<UInt8>? {
        guard count <= UInt64(self.rest.count) else { return nil }
        let taken = self.rest.prefix(Int(count))
        self.rest = self.rest.dropFirst(Int(count))
        return taken
    }

    mutating func number<Number: FixedWidthInteger & UnsignedInteger>(_: Number.Type) -> Number? {
        guard let bytes = self.take(UInt64(Number.bitWidth / 8)) else { return nil }
        // Shifted as a wide number: a shift of an 8-bit one by 8 is always zero, which is what is meant there too.
        return Number(truncatingIfNeeded: bytes.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
    }
}

extension [UInt8] {
    fileprivate mutating func append(littleEndian number: some FixedWidthInteger & UnsignedInteger) {
        for shift in stride(from: 0, to: number.bitWidth, by: 8) {
            self.append(UInt8(truncatingIfNeeded: number >> shift))
        }
    }
}
