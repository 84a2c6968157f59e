// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel

/// Buckets layers into kernel groups and checks them against the engine's groups. Wire protocol §4.2.
struct KernelGrouping {
    /// What layers of one group have in common.
    private struct Identity: Hashable {
        let format: KVFormat
        let headCount: Int
        let headSize: Int
        let slotsPerBlock: Int
        let engineGroupID: Int
        let elementType: ElementType
    }

    /// One bucket, before it has an object group.
    struct Bucket {
        let engineGroupID: Int
        /// The engine's description; nil when the registration lists no groups.
        let engineGroup: EngineGroup?
        var layerIndices: [Int]
        var layers: [LayerPages]
    }

    /// The buckets in order of their first layer.
    static func buckets(
        layerCount: Int, groups: [EngineGroup], read: (Int) throws(LayoutError) -> LayerPages
    ) throws(LayoutError) -> [Bucket] {
        let owners = try self.owners(layerCount: layerCount, groups: groups)
        var positions: [Identity: Int] = [:]
        var buckets: [Bucket] = []
        for layer in 0..<layerCount {
            guard let owner = owners[layer] else { continue }
            let pages = try read(layer)
            let identity = Identity(
                format: pages.format, headCount: pages.headCount, headSize: pages.headSize,
                slotsPerBlock: pages.slotsPerBlock, engineGroupID: owner, elementType: pages.elementType)
            if let position = positions[identity] {
                buckets[position].layerIndices.append(layer)
                buckets[position].layers.append(pages)
            } else {
                let group = buckets.count < groups.count ? groups[buckets.count] : nil
                positions[identity] = buckets.count
                buckets.append(
                    Bucket(engineGroupID: owner, engineGroup: group, layerIndices: [layer], layers: [pages]))
            }
        }
        guard !buckets.isEmpty else { throw .mismatch("engine_group_infos names no layer; nothing is left to cache") }
        if !groups.isEmpty { try self.compare(buckets, groups) }
        return buckets
    }

    /// The engine group of each layer; nil for layers that no group names.
    private static func owners(layerCount: Int, groups: [EngineGroup]) throws(LayoutError) -> [Int?] {
        if groups.isEmpty { return Array(repeating: 0, count: layerCount) }
        var owners = [Int?](repeating: nil, count: layerCount)
        for (position, group) in groups.enumerated() {
            for layer in group.layerIndices {
                guard owners.indices.contains(layer) else {
                    throw .mismatch(
                        "engine_group_infos[\(position)]: layer index \(layer) is outside 0 ..< \(layerCount)")
                }
                guard owners[layer] == nil else {
                    throw .mismatch("engine_group_infos[\(position)]: layer \(layer) is already in another group")
                }
                owners[layer] = group.engineGroupID
            }
        }
        return owners
    }

    private static func compare(_ buckets: [Bucket], _ groups: [EngineGroup]) throws(LayoutError) {
        guard buckets.count == groups.count else {
            throw .mismatch(
                "engine_group_infos has \(groups.count) entries, but the tensors form \(buckets.count) groups of equal "
                    + "geometry; they must match one to one")
        }
        for (position, (bucket, group)) in zip(buckets, groups).enumerated()
        where bucket.layerIndices != group.layerIndices {
            throw .mismatch(
                "engine_group_infos[\(position)]: names layers \(group.layerIndices), but the tensors' group has "
                    + "layers \(bucket.layerIndices)")
        }
    }

    /// Tokens of one block and the blocks of a chunk, checked.
    struct BlockSizes {
        let tokensPerBlock: Int
        let blocksPerChunk: Int
        let keptBlocksPerChunk: Int
        let windowTokens: Int
    }

    /// Checks block size, chunk size and window of one bucket.
    static func blockSizes(_ bucket: Bucket, index: Int, chunkSize: Int) throws(LayoutError) -> BlockSizes {
        let slots = bucket.layers[0].slotsPerBlock
        let given = bucket.engineGroup?.tokensPerBlock ?? 0
        guard given >= 0 else {
            throw .mismatch("engine_group_infos[\(index)]: tokens_per_block is \(given); 0 or more is accepted")
        }
        let tokens = given > 0 ? given : slots
        guard tokens % slots == 0 else {
            throw .mismatch(
                "kernel group \(index): tokens_per_block \(tokens) must be a multiple of the tensors' \(slots) slots a "
                    + "block")
        }
        guard chunkSize % tokens == 0 else {
            throw .mismatch(
                "kernel group \(index): the chunk size \(chunkSize) must be a multiple of \(tokens) tokens a block; "
                    + "start the server with another --chunk-size")
        }
        let blocks = chunkSize / tokens
        let asked = bucket.engineGroup?.slidingWindowTokens ?? -1
        let window = asked > 0 ? asked : -1
        guard window > 0, window < chunkSize else {
            return BlockSizes(
                tokensPerBlock: tokens, blocksPerChunk: blocks, keptBlocksPerChunk: blocks, windowTokens: window)
        }
        guard window % tokens == 0 else {
            throw .mismatch(
                "engine_group_infos[\(index)]: sw_size_tokens \(window) is below the chunk size and must be a "
                    + "multiple of \(tokens) tokens a block")
        }
        return BlockSizes(
            tokensPerBlock: tokens, blocksPerChunk: blocks, keptBlocksPerChunk: window / tokens, windowTokens: window)
    }
}
