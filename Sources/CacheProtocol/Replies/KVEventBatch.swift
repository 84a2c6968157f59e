// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import MessagePack

/// One batch of a subscription, wire protocol §2.11.
package struct KVEventBatch: Sendable, Equatable {
    /// False: this server announces nothing.
    package var enabled: Bool
    /// Tells one run of the server from another: nanoseconds of its start.
    package var incarnation: Int64
    /// Sequence number to resume after.
    package var nextCursor: Int64
    /// The client must forget what it was told before.
    package var lost: Bool
    package var events: [KVEventRecord]

    package init(enabled: Bool, incarnation: Int64, nextCursor: Int64, lost: Bool, events: [KVEventRecord]) {
        self.enabled = enabled
        self.incarnation = incarnation
        self.nextCursor = nextCursor
        self.lost = lost
        self.events = events
    }

    /// The safe way to decline: an error would make the client subscribe again at once, for ever.
    package static func declined(incarnation: Int64) -> KVEventBatch {
        KVEventBatch(enabled: false, incarnation: incarnation, nextCursor: 0, lost: false, events: [])
    }
}

/// One message of a subscription's stream: a batch, or nil for the end of the stream.
package struct KVEventReply: OperationReply {
    package var batch: KVEventBatch?

    package init(_ batch: KVEventBatch?) { self.batch = batch }

    package init(frame: [UInt8]?) throws(ProtocolError) {
        self.batch = nil
        guard let frame else { return }
        self.batch = try decodeReply(frame) { (reader) throws(ProtocolError) in try KVEventBatch(from: &reader) }
    }

    package func encoded() -> [UInt8]? {
        guard let batch = self.batch else { return nil }
        return encodedFrame { writer in
            writer.writeMapHead(5)
            writer.write("enabled")
            writer.write(batch.enabled)
            writer.write("incarnation")
            writer.write(batch.incarnation)
            writer.write("next_cursor")
            writer.write(batch.nextCursor)
            writer.write("lost")
            writer.write(batch.lost)
            writer.write("events")
            writer.writeArrayHead(batch.events.count)
            for event in batch.events { event.write(to: &writer) }
        }
    }
}

extension KVEventBatch {
    fileprivate init(from reader: inout PayloadReader) throws(ProtocolError) {
        var enabled: Bool?
        var incarnation: Int64?
        var nextCursor: Int64?
        var lost: Bool?
        var events: [KVEventRecord]?
        for _ in 0..<(try reader.mapCount("reply")) {
            let name = try reader.string("reply")
            switch name {
            case "enabled": enabled = try reader.boolean(name)
            case "incarnation": incarnation = try reader.integer(name)
            case "next_cursor": nextCursor = try reader.integer(name)
            case "lost": lost = try reader.boolean(name)
            case "events":
                events = try reader.list(name, limit: ProtocolLimits.recordCount) { (element) throws(ProtocolError) in
                    try KVEventRecord(from: &element)
                }
            default: try reader.skip(name)
            }
        }
        guard let enabled else { throw .missing(field: "enabled") }
        guard let incarnation else { throw .missing(field: "incarnation") }
        guard let nextCursor else { throw .missing(field: "next_cursor") }
        guard let lost else { throw .missing(field: "lost") }
        guard let events else { throw .missing(field: "events") }
        self.init(enabled: enabled, incarnation: incarnation, nextCursor: nextCursor, lost: lost, events: events)
    }
}
