// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel

extension KVCacheLayout {
    /// Finds the layout of a registration.
    ///
    /// - Parameters:
    ///   - chunkSize: Tokens of one chunk, at least 1.
    ///   - separateObjectGroups: One object group for each window and state kind, not one for all layers.
    ///   - deviceIsCPU: The device that serves it, which decides the axis order where the engine gave no hint.
    /// - Throws: ``LayoutError`` with a text that names the tensor or group and what is accepted.
    package static func detect(
        _ registration: KVCacheRegistration, chunkSize: Int, separateObjectGroups: Bool, deviceIsCPU: Bool
    ) throws(LayoutError) -> KVCacheLayout {
        precondition(chunkSize > 0, "a chunk has at least one token")
        let detection = LayerDetection(registration: registration, deviceIsCPU: deviceIsCPU)
        let layerCount = try detection.layerCount()
        // A single tensor may claim any number of layers.
        guard layerCount <= Self.maximumLayerCount else {
            throw .malformed("kv_caches describes \(layerCount) layers; at most \(Self.maximumLayerCount) are accepted")
        }
        let buckets = try KernelGrouping.buckets(layerCount: layerCount, groups: registration.groups) {
            (layer) throws(LayoutError) in try detection.layer(layer)
        }
        var sizes: [KernelGrouping.BlockSizes] = []
        for (index, bucket) in buckets.enumerated() {
            sizes.append(try KernelGrouping.blockSizes(bucket, index: index, chunkSize: chunkSize))
        }
        let drafts =
            separateObjectGroups
            ? ObjectGrouping.separate(buckets: buckets, windows: sizes.map(\.windowTokens), chunkSize: chunkSize)
            : ObjectGrouping.together(count: buckets.count)
        let objectGroups = try self.objectGroups(drafts, buckets: buckets, sizes: sizes)
        var owners = Array(repeating: 0, count: buckets.count)
        for group in objectGroups {
            for kernel in group.kernelGroups { owners[kernel] = group.index }
        }
        let kernelGroups = buckets.indices.map { index in
            KernelGroup(index: index, bucket: buckets[index], sizes: sizes[index], objectGroup: owners[index])
        }
        return KVCacheLayout(
            chunkSize: chunkSize, kernelGroups: kernelGroups, objectGroups: objectGroups,
            tensorCount: registration.tensors.count)
    }

    private static var maximumLayerCount: Int { 16_384 }
    /// Bounds sums over all groups far below overflow.
    private static var maximumObjectByteCount: Int { 1 << 40 }

    private static func objectGroups(
        _ drafts: [ObjectGrouping.Draft], buckets: [KernelGrouping.Bucket], sizes: [KernelGrouping.BlockSizes]
    ) throws(LayoutError) -> [ObjectGroup] {
        var groups: [ObjectGroup] = []
        for (index, draft) in drafts.enumerated() {
            let parts = draft.kernelGroups.map { kernel in
                let pages = buckets[kernel].layers[0]
                let slots = sizes[kernel].keptBlocksPerChunk * pages.slotsPerBlock
                return ObjectLayout.Part(
                    shape: [
                        pages.format.planeCount, buckets[kernel].layers.count, slots, pages.headCount * pages.headSize,
                    ],
                    elementType: pages.elementType)
            }
            guard let layout = ObjectLayout(parts: parts), layout.byteCount <= Self.maximumObjectByteCount else {
                throw .malformed(
                    "object group \(index): one chunk would take more than \(Self.maximumObjectByteCount) bytes")
            }
            groups.append(
                ObjectGroup(
                    index: index, kernelGroups: draft.kernelGroups, window: PrefixWindow(chunks: draft.windowChunks),
                    kind: draft.kind, layout: layout))
        }
        return groups
    }
}

extension KernelGroup {
    init(index: Int, bucket: KernelGrouping.Bucket, sizes: KernelGrouping.BlockSizes, objectGroup: Int) {
        let pages = bucket.layers[0]
        self.index = index
        self.format = pages.format
        self.layerIndices = bucket.layerIndices
        self.engineGroupID = bucket.engineGroupID
        self.objectGroup = objectGroup
        self.headCount = pages.headCount
        self.headSize = pages.headSize
        self.slotsPerBlock = pages.slotsPerBlock
        self.tokensPerBlock = sizes.tokensPerBlock
        self.blocksPerChunk = sizes.blocksPerChunk
        self.keptBlocksPerChunk = sizes.keptBlocksPerChunk
        // An id must be valid in every layer.
        self.blockCount = bucket.layers.reduce(pages.blockCount) { min($0, $1.blockCount) }
        self.elementType = pages.elementType
        self.windowTokens = sizes.windowTokens
        self.tensorShape = pages.tensorShape
        let origins = (0..<pages.format.planeCount).flatMap { plane in bucket.layers.map { $0.origins[plane] } }
        self.geometry = PageGeometry(origins: origins, slotStride: pages.slotStride, headStride: pages.headStride)
    }
}

extension KVCacheLayout {
    /// The one object layout of an engine-driven registration: `[2, layers, slots, hidden]`, or
    /// `[layers, slots, hidden]` for one plane. Wire protocol §5.1.
    package static func engineDriven(
        _ registration: EngineDrivenRegistration, chunkSize: Int
    ) throws(LayoutError) -> ObjectLayout {
        let slots = registration.slotCount ?? chunkSize
        let shape = [registration.layerCount, slots, registration.hiddenSize]
        let part = ObjectLayout.Part(
            shape: registration.isMLA ? shape : [2] + shape, elementType: registration.elementType)
        guard let layout = ObjectLayout(parts: [part]), layout.byteCount <= Self.maximumObjectByteCount else {
            throw .malformed(
                "num_layers, num_physical_slots and hidden_dim_size are \(shape); each must be positive and one object "
                    + "at most \(Self.maximumObjectByteCount) bytes")
        }
        return layout
    }
}
