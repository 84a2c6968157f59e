// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel

/// What a lookup asks for.
package struct PrefixQuery: Sendable {
    package var namespace: NamespaceID
    package var worldSize: Int
    /// One window an object group.
    package var windows: [PrefixWindow]
    /// Chunks in prompt order, from the first.
    package var hashes: [ChunkHash]
    /// Workers that will each take one share of every cell; less than 1 counts as 1.
    package var readerCount: Int

    package init(
        namespace: NamespaceID,
        worldSize: Int,
        windows: [PrefixWindow],
        hashes: [ChunkHash],
        readerCount: Int
    ) {
        self.namespace = namespace
        self.worldSize = worldSize
        self.windows = windows
        self.hashes = hashes
        self.readerCount = readerCount
    }
}
