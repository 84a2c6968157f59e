// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel

/// What one registration's tensors are: page formats, groups and object bytes. Wire protocol §4.
package struct KVCacheLayout: Sendable, Equatable {
    /// Tokens of one chunk.
    package let chunkSize: Int
    /// In the order in which stores and retrieves list block ids.
    package let kernelGroups: [KernelGroup]
    /// In the order of object group numbers.
    package let objectGroups: [ObjectGroup]
    /// Registered tensors.
    package let tensorCount: Int

    /// Layers that are cached; layers that no engine group names are left out.
    package var layerCount: Int { self.kernelGroups.reduce(0) { $0 + $1.layerCount } }
    /// Blocks of the first kernel group.
    package var blockCount: Int { self.kernelGroups.first?.blockCount ?? 0 }
    /// Bytes that one token takes over all layers of this rank.
    package var bytesPerToken: Int {
        self.kernelGroups.reduce(0) { sum, group in
            let slot = group.planeCount * group.layerCount * group.width * group.elementType.byteCount
            return sum + slot * group.slotsPerBlock / group.tokensPerBlock
        }
    }
}
