// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel
import MessagePack

/// One thing that happened to cached chunks, wire protocol §2.11.
package struct KVEventRecord: Sendable, Equatable {
    package enum Kind: String, Sendable, CaseIterable { case stored, removed }

    /// Counts from 1.
    package var sequence: Int64
    package var kind: Kind
    /// Where the bytes are; always `CPU` in 0.5.6.
    package var medium: String
    package var modelName: String
    package var blockHashes: [ChunkHash]
    /// The chunk before the first; nil for the first of a prompt and for removals.
    package var parentBlockHash: ChunkHash?
    package var tokenIDs: [UInt32]

    package init(
        sequence: Int64,
        kind: Kind,
        medium: String = "CPU",
        modelName: String,
        blockHashes: [ChunkHash],
        parentBlockHash: ChunkHash?,
        tokenIDs: [UInt32]
    ) {
        self.sequence = sequence
        self.kind = kind
        self.medium = medium
        self.modelName = modelName
        self.blockHashes = blockHashes
        self.parentBlockHash = parentBlockHash
        self.tokenIDs = tokenIDs
    }
}

/// The fields of a record, as they are found.
private struct PartialRecord {
    var sequence: Int64?
    var kind: KVEventRecord.Kind?
    var medium: String?
    var modelName: String?
    var blockHashes: [ChunkHash]?
    var parent: ChunkHash??
    var tokenIDs: [UInt32]?

    mutating func take(_ name: String, from reader: inout PayloadReader) throws(ProtocolError) {
        switch name {
        case "seq": self.sequence = try reader.integer(name)
        case "kind": self.kind = try reader.choice(name)
        case "medium": self.medium = try reader.name(name)
        case "model_name": self.modelName = try reader.name(name)
        case "block_hashes":
            self.blockHashes = try reader.list(name, limit: ProtocolLimits.recordCount) {
                (element) throws(ProtocolError) in try element.chunkHash("")
            }
        case "parent_block_hash": self.parent = .some(try reader.isNil(name) ? nil : reader.chunkHash(name))
        case "token_ids": self.tokenIDs = try reader.unsignedList(name)
        default: try reader.skip(name)
        }
    }
}

extension KVEventRecord {
    init(from reader: inout PayloadReader) throws(ProtocolError) {
        var partial = PartialRecord()
        for _ in 0..<(try reader.mapCount("")) {
            let name = try reader.string("")
            try partial.take(name, from: &reader)
        }
        guard let sequence = partial.sequence else { throw .missing(field: "seq") }
        guard let kind = partial.kind else { throw .missing(field: "kind") }
        guard let medium = partial.medium else { throw .missing(field: "medium") }
        guard let modelName = partial.modelName else { throw .missing(field: "model_name") }
        guard let hashes = partial.blockHashes else { throw .missing(field: "block_hashes") }
        guard let parent = partial.parent else { throw .missing(field: "parent_block_hash") }
        guard let tokenIDs = partial.tokenIDs else { throw .missing(field: "token_ids") }
        self.init(
            sequence: sequence,
            kind: kind,
            medium: medium,
            modelName: modelName,
            blockHashes: hashes,
            parentBlockHash: parent,
            tokenIDs: tokenIDs
        )
    }

    func write(to writer: inout MessagePackWriter) {
        writer.writeMapHead(7)
        writer.write("seq")
        writer.write(self.sequence)
        writer.write("kind")
        writer.write(self.kind.rawValue)
        writer.write("medium")
        writer.write(self.medium)
        writer.write("model_name")
        writer.write(self.modelName)
        writer.write("block_hashes")
        writer.writeArrayHead(self.blockHashes.count)
        for hash in self.blockHashes { writer.write(binary: hash.bytes) }
        writer.write("parent_block_hash")
        writer.write(optional: self.parentBlockHash?.bytes)
        writer.write("token_ids")
        writer.write(self.tokenIDs)
    }
}
