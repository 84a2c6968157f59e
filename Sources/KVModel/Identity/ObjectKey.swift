// lmcache · SPDX-License-Identifier: Apache-2.0

/// The full, portable name of one object: the bytes of one chunk, for one object group, of one KV rank.
///
/// Inside the process ``NamespaceID``, ``ChunkHash`` and small numbers stand for it; this form crosses borders (HTTP,
/// other servers, the second tier).
package struct ObjectKey: Hashable, Sendable {
    package let chunkHash: ChunkHash
    package let modelName: String
    package let kvRank: KVRank
    /// 0 for models with one object group.
    package let objectGroup: Int
    package let cacheSalt: String

    package init(chunkHash: ChunkHash, modelName: String, kvRank: KVRank, objectGroup: Int, cacheSalt: String) {
        self.chunkHash = chunkHash
        self.modelName = modelName
        self.kvRank = kvRank
        self.objectGroup = objectGroup
        self.cacheSalt = cacheSalt
    }
}

extension ObjectKey: CustomStringConvertible {
    /// `model@rank, 8 hex digits@group, hex@hash hex[@salt]`.
    package var description: String {
        let rank = String(self.kvRank.rawValue, radix: 16)
        let padded = String(repeating: "0", count: max(0, 8 - rank.count)) + rank
        let salt = self.cacheSalt.isEmpty ? "" : "@" + self.cacheSalt
        return "\(self.modelName)@\(padded)@\(String(self.objectGroup, radix: 16))@\(self.chunkHash)\(salt)"
    }
}
