// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel

/// Emits the shortest pickle that PyTorch reads as a list of CPU tensors. Wire protocol §5.5.
struct PickleWriter {
    private(set) var bytes: [UInt8] = [0x80, 0x04, 0x5d, 0x28]
    private let part: ObjectLayout.Part
    private let elementCount: Int

    /// - Parameters:
    ///   - part: Shape and element type of every tensor.
    ///   - tensorCount: How many will follow, to reserve room.
    init(part: ObjectLayout.Part, tensorCount: Int) {
        self.part = part
        self.elementCount = part.shape.reduce(1, *)
        let size = self.elementCount * part.elementType.byteCount
        self.bytes.reserveCapacity(64 + tensorCount * (size + 512))
    }

    /// Appends one tensor of exactly the part's size.
    mutating func append(_ data: UnsafeRawBufferPointer) {
        let type = self.part.elementType
        let storageClass = StorageClass.name(type)
        self.global("torch._utils", storageClass == nil ? "_rebuild_tensor_v3" : "_rebuild_tensor_v2")
        self.bytes.append(0x28)
        self.global("torch.storage", "_load_from_bytes")
        let prefix = self.storagePrefix(storageClass, byteCount: data.count)
        self.bytesHeader(prefix.count + data.count)
        self.bytes.append(contentsOf: prefix)
        self.bytes.append(contentsOf: data)
        self.bytes += [0x85, 0x52]
        self.bytes += Self.number(0)
        self.tuple(self.part.shape)
        self.tuple(self.strides)
        self.bytes.append(0x89)
        self.global("collections", "OrderedDict")
        self.bytes += [0x29, 0x52]
        if storageClass == nil { self.global("torch", type.rawValue) }
        self.bytes += [0x74, 0x52]
    }

    /// Closes the list.
    mutating func finish() -> [UInt8] {
        self.bytes += [0x65, 0x2e]
        return self.bytes
    }

    private var strides: [Int] {
        var strides: [Int] = []
        var step = 1
        for size in self.part.shape.reversed() {
            strides.append(step)
            step *= size
        }
        return strides.reversed()
    }

    /// Everything of torch's legacy stream before the data.
    private func storagePrefix(_ storageClass: String?, byteCount: Int) -> [UInt8] {
        let count = storageClass == nil ? byteCount : self.elementCount
        var stream = Self.streamHeader
        stream += [0x80, 0x02, 0x28] + Self.longText("storage")
        // PyTorch 2.13 cannot read back the untyped storage that it writes itself, but takes bytes of another type.
        stream += [0x63] + Array("torch\n\(storageClass ?? "ByteStorage")\n".utf8)
        stream += Self.longText("0") + Self.longText("cpu") + Self.number(count) + [0x4e, 0x74, 0x51, 0x2e]
        stream += [0x80, 0x02, 0x5d] + Self.longText("0") + [0x61, 0x2e]
        return stream + Self.littleEndian(count, byteCount: 8)
    }

    /// Magic number, protocol 1001 and system information, as torch writes them.
    private static let streamHeader: [UInt8] = {
        var stream: [UInt8] = [
            0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e,
            0x80, 0x02, 0x4d, 0xe9, 0x03, 0x2e, 0x80, 0x02, 0x7d, 0x71, 0x00, 0x28,
        ]
        stream += Self.longText("protocol_version") + [0x71, 0x01, 0x4d, 0xe9, 0x03]
        stream += Self.longText("little_endian") + [0x71, 0x02, 0x88]
        stream += Self.longText("type_sizes") + [0x71, 0x03, 0x7d, 0x71, 0x04, 0x28]
        stream += Self.longText("short") + [0x71, 0x05, 0x4b, 0x02]
        stream += Self.longText("int") + [0x71, 0x06, 0x4b, 0x04]
        stream += Self.longText("long") + [0x71, 0x07, 0x4b, 0x04, 0x75, 0x75, 0x2e]
        return stream
    }()

    private mutating func global(_ module: String, _ name: String) {
        for text in [module, name] {
            self.bytes += [0x8c, UInt8(truncatingIfNeeded: text.utf8.count)]
            self.bytes.append(contentsOf: text.utf8)
        }
        self.bytes.append(0x93)
    }

    private mutating func bytesHeader(_ count: Int) {
        if count < 1 << 32 {
            self.bytes += [0x42] + Self.littleEndian(count, byteCount: 4)
        } else {
            self.bytes += [0x8e] + Self.littleEndian(count, byteCount: 8)
        }
    }

    private mutating func tuple(_ values: [Int]) {
        self.bytes.append(0x28)
        for value in values { self.bytes += Self.number(value) }
        self.bytes.append(0x74)
    }

    private static func longText(_ text: String) -> [UInt8] {
        [0x58] + self.littleEndian(text.utf8.count, byteCount: 4) + Array(text.utf8)
    }

    private static func number(_ value: Int) -> [UInt8] {
        switch value {
        case 0..<256: [0x4b, UInt8(truncatingIfNeeded: value)]
        case 0..<65_536: [0x4d] + self.littleEndian(value, byteCount: 2)
        case 0..<(1 << 31): [0x4a] + self.littleEndian(value, byteCount: 4)
        default: [0x8a, 8] + self.littleEndian(value, byteCount: 8)
        }
    }

    private static func littleEndian(_ value: Int, byteCount: Int) -> [UInt8] {
        (0..<byteCount).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
    }
}
