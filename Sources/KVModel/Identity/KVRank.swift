// lmcache · SPDX-License-Identifier: Apache-2.0

/// One parallel shard's coordinate: world size and rank, each twice, in one number.
///
/// Layout, most significant byte first: world size, rank, local world size, local rank. On this path the local pair
/// equals the global one.
package struct KVRank: Hashable, Sendable {
    /// `worldSize << 24 | rank << 16 | worldSize << 8 | rank`.
    package let rawValue: UInt32

    /// Most shards that the packed form can tell apart.
    package static let worldSizeLimit = 255

    /// Packs a shard's coordinate.
    ///
    /// - Precondition: 1 ≤ worldSize ≤ 255 and 0 ≤ rank < worldSize; decoding checks both.
    package init(worldSize: Int, rank: Int) {
        precondition(1...Self.worldSizeLimit ~= worldSize && 0..<worldSize ~= rank, "a shard outside its world")
        let pair = UInt32(worldSize) << 8 | UInt32(rank)
        self.rawValue = pair << 16 | pair
    }

    /// Takes a packed number as it is, for keys from elsewhere.
    package init(rawValue: UInt32) { self.rawValue = rawValue }
}
