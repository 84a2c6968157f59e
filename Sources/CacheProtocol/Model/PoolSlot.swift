// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel
import MessagePack

/// One object's place in the shared pool, and what lies there.
package struct PoolSlot: Sendable, Equatable {
    /// Bytes from the start of the pool.
    package var offset: Int
    /// Bytes.
    package var length: Int
    /// `[2, layers, slots, hidden]`, or `[layers, slots, hidden]` with one plane.
    package var shape: [Int]
    package var elementType: ElementType

    package init(offset: Int, length: Int, shape: [Int], elementType: ElementType) {
        self.offset = offset
        self.length = length
        self.shape = shape
        self.elementType = elementType
    }

    init(from reader: inout PayloadReader) throws(ProtocolError) {
        var offset: Int?
        var length: Int?
        var shape: [Int]?
        var elementType: ElementType?
        let sizes = 0...Int(Int64.max)
        for _ in 0..<(try reader.mapCount("")) {
            let name = try reader.string("")
            switch name {
            case "offset": offset = try reader.integer(name, in: sizes)
            case "length": length = try reader.integer(name, in: sizes)
            case "shape": shape = try reader.integerList(name, limit: ProtocolLimits.rank, in: sizes)
            case "dtype": elementType = try reader.elementType(name)
            default: try reader.skip(name)
            }
        }
        guard let offset else { throw .missing(field: "offset") }
        guard let length else { throw .missing(field: "length") }
        guard let shape else { throw .missing(field: "shape") }
        guard let elementType else { throw .missing(field: "dtype") }
        self.init(offset: offset, length: length, shape: shape, elementType: elementType)
    }

    fileprivate func write(to writer: inout MessagePackWriter) {
        writer.writeMapHead(4)
        writer.write("offset")
        writer.write(self.offset)
        writer.write("length")
        writer.write(self.length)
        writer.write("shape")
        writer.write(self.shape)
        writer.write("dtype")
        writer.write(self.elementType.rawValue)
    }
}

/// The `context` map of both prepare replies.
struct SlotContext {
    /// Nil when the map has none: no pool is shared.
    var slots: [PoolSlot]?
    var chunkIndices: [Int] = []

    init(from reader: inout PayloadReader) throws(ProtocolError) {
        for _ in 0..<(try reader.mapCount("context")) {
            switch try reader.string("context") {
            case "slots":
                let limit = ProtocolLimits.recordCount
                self.slots = try reader.list("context.slots", limit: limit) { (element) throws(ProtocolError) in
                    try PoolSlot(from: &element)
                }
            case "chunk_indices":
                let limit = ProtocolLimits.recordCount
                self.chunkIndices = try reader.integerList(
                    "context.chunk_indices",
                    limit: limit,
                    in: 0...ProtocolLimits.geometry
                )
            default: try reader.skip("context")
            }
        }
    }
}

extension MessagePackWriter {
    mutating func write(_ slots: [PoolSlot]) {
        self.writeArrayHead(slots.count)
        for slot in slots { slot.write(to: &self) }
    }
}
