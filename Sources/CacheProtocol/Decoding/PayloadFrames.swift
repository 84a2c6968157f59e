// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import MessagePack

/// The payload frames of one request, of which each holds exactly one value.
struct PayloadFrames {
    private let frames: [[UInt8]]

    init(_ frames: [[UInt8]], count: Int) throws(ProtocolError) {
        guard frames.count == count else { throw .payloadCount(given: frames.count, accepted: count) }
        self.frames = frames
    }

    /// Decodes frame `index` with `read`, which must use all of it.
    ///
    /// Errors name the frame.
    func value<Value>(
        _ index: Int,
        _ read: (inout PayloadReader) throws(ProtocolError) -> Value
    ) throws(ProtocolError) -> Value {
        var reader = PayloadReader(frame: self.frames[index])
        do {
            let value = try read(&reader)
            try reader.end("")
            return value
        } catch {
            throw error.within("payload \(index) ")
        }
    }

    func key(_ index: Int = 0) throws(ProtocolError) -> CacheKey {
        try self.value(index) { (reader) throws(ProtocolError) in try CacheKey(from: &reader) }
    }

    func instance(_ index: Int) throws(ProtocolError) -> InstanceID {
        InstanceID(try self.lenientInteger(index, "instance_id"))
    }

    func lenientInteger(_ index: Int, _ field: String) throws(ProtocolError) -> Int64 {
        try self.value(index) { (reader) throws(ProtocolError) in try reader.lenientInteger(field) }
    }

    /// A lenient integer within `accepted`.
    func lenientInteger(
        _ index: Int,
        _ field: String,
        in accepted: ClosedRange<Int>
    ) throws(ProtocolError) -> Int {
        try self.value(index) { (reader) throws(ProtocolError) in
            try PayloadReader.checked(Int(try reader.lenientInteger(field)), field, in: accepted)
        }
    }

    func lenientBoolean(_ index: Int, _ field: String) throws(ProtocolError) -> Bool {
        try self.value(index) { (reader) throws(ProtocolError) in try reader.lenientBoolean(field) }
    }

    func binary(_ index: Int, _ field: String) throws(ProtocolError) -> [UInt8] {
        try self.value(index) { (reader) throws(ProtocolError) in try reader.binary(field) }
    }

    func name(_ index: Int, _ field: String) throws(ProtocolError) -> String {
        try self.value(index) { (reader) throws(ProtocolError) in try reader.name(field) }
    }

    func modelName(_ index: Int) throws(ProtocolError) -> String {
        try self.value(index) { (reader) throws(ProtocolError) in try reader.modelName("model_name") }
    }

    /// One list of block ids for each kernel group.
    func blockIDs(_ index: Int) throws(ProtocolError) -> [[Int32]] {
        try self.value(index) { (reader) throws(ProtocolError) in
            let count = try reader.arrayCount("block_ids", limit: ProtocolLimits.kernelGroupCount)
            var lists: [[Int32]] = []
            lists.reserveCapacity(count)
            for _ in 0..<count { lists.append(try reader.blockList("block_ids")) }
            return lists
        }
    }
}

/// Encodes one value as one frame.
func encodedFrame(capacity: Int = 0, _ write: (inout MessagePackWriter) -> Void) -> [UInt8] {
    var writer = MessagePackWriter(capacity: capacity)
    write(&writer)
    return writer.bytes
}

extension MessagePackWriter {
    mutating func write(_ lists: [[Int32]]) {
        self.writeArrayHead(lists.count)
        for list in lists { self.write(list) }
    }

    mutating func write(optional value: [UInt8]?) {
        if let value { self.write(binary: value) } else { self.writeNil() }
    }

    mutating func write(optional value: Int?) {
        if let value { self.write(value) } else { self.writeNil() }
    }

    mutating func write(_ instance: InstanceID) { self.write(instance.rawValue) }
}
