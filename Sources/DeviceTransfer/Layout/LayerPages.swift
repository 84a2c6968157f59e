// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel

/// One layer as its tensors show it, before layers are grouped.
struct LayerPages: Equatable {
    let format: KVFormat
    let headCount: Int
    let headSize: Int
    let slotsPerBlock: Int
    let blockCount: Int
    let elementType: ElementType
    /// One a plane.
    let origins: [PageGeometry.Origin]
    let tensorShape: [Int]

    /// Elements between slots of one head.
    var slotStride: Int { self.format.isHeadMajor ? self.headSize : self.headCount * self.headSize }
    /// Elements between heads of one slot.
    var headStride: Int { self.format.isHeadMajor ? self.slotsPerBlock * self.headSize : self.headSize }
}

extension KVFormat {
    /// True where all slots of one head come before the next head, so that copies transpose.
    var isHeadMajor: Bool {
        switch self {
        case .planesBlocksHeadsSlots, .blocksPlanesHeadsSlots, .blocksLayersPlanesHeadsSlots, .packedHeadsSlots: true
        default: false
        }
    }
}

extension LayerPages {
    /// Reads one tensor that is one whole layer. `tensor` is its index.
    ///
    /// The order must have the format's rank; blocks may be padded only where the format allows it.
    init(format: KVFormat, order: PhysicalOrder, elementType: ElementType, tensor: Int) throws(LayoutError) {
        let shape = order.shape
        let blockAxis = format == .planesBlocksSlotsHeads || format == .planesBlocksHeadsSlots ? 1 : 0
        guard format.allowsPaddedBlocks || order.firstStride == order.tightFirstStride else {
            throw .unsupported(
                "tensor \(tensor): shape \(shape) is padded to \(order.firstStride) elements on its first axis; format "
                    + "\(format.name) needs tight tensors (\(order.tightFirstStride))")
        }
        let inner = Array(shape.suffix(format == .latent ? 2 : 3))
        self.format = format
        self.headSize = inner[inner.count - 1]
        self.headCount = format == .latent ? 1 : (format.isHeadMajor ? inner[0] : inner[1])
        self.slotsPerBlock = format.isHeadMajor ? inner[1] : inner[0]
        self.blockCount = shape[blockAxis]
        self.elementType = elementType
        self.tensorShape = shape
        let page = inner.reduce(1, *)
        switch format {
        case .planesBlocksSlotsHeads, .planesBlocksHeadsSlots:
            self.origins = [0, self.blockCount * page].map { .init(tensor: tensor, offset: $0, blockStride: page) }
        case .blocksPlanesSlotsHeads, .blocksPlanesHeadsSlots:
            self.origins = [0, page].map { .init(tensor: tensor, offset: $0, blockStride: 2 * page) }
        default:
            self.origins = [.init(tensor: tensor, offset: 0, blockStride: order.firstStride)]
        }
    }

    /// Reads one layer's keys and values, two tensors `[blocks × slots, heads, head size]` of equal form.
    init(
        keys: PhysicalOrder, values: PhysicalOrder, elementType: ElementType, tokensPerBlock: Int, layer: Int,
        layerCount: Int
    ) throws(LayoutError) {
        let (blocks, rest) = try Self.split(keys, tokensPerBlock: tokensPerBlock, tensor: layer)
        guard keys == values else {
            throw .mismatch(
                "tensors \(layer) and \(layer + layerCount): keys have shape \(keys.shape), values \(values.shape); "
                    + "they must be equal")
        }
        self.format = .separatePlanes
        self.headSize = keys.shape[2]
        self.headCount = keys.shape[1]
        self.slotsPerBlock = tokensPerBlock
        self.blockCount = blocks
        self.elementType = elementType
        self.tensorShape = [blocks, tokensPerBlock] + rest
        let page = keys.shape[1] * keys.shape[2] * tokensPerBlock
        self.origins = [layer, layer + layerCount].map { .init(tensor: $0, offset: 0, blockStride: page) }
    }

    /// Reads one latent layer `[blocks × slots, 1, size]`.
    init(
        splitting order: PhysicalOrder, elementType: ElementType, tokensPerBlock: Int, tensor: Int
    ) throws(LayoutError) {
        let (blocks, rest) = try Self.split(order, tokensPerBlock: tokensPerBlock, tensor: tensor)
        self.format = .latent
        self.headSize = rest[1]
        self.headCount = 1
        self.slotsPerBlock = tokensPerBlock
        self.blockCount = blocks
        self.elementType = elementType
        self.tensorShape = [blocks, tokensPerBlock, rest[1]]
        self.origins = [.init(tensor: tensor, offset: 0, blockStride: rest[1] * tokensPerBlock)]
    }

    /// Blocks along the first axis, and the other two axes.
    private static func split(
        _ order: PhysicalOrder, tokensPerBlock: Int, tensor: Int
    ) throws(LayoutError) -> (blocks: Int, rest: [Int]) {
        guard tokensPerBlock > 0, order.shape[0] % tokensPerBlock == 0 else {
            throw .mismatch(
                "tensor \(tensor): its first axis has \(order.shape[0]) slots, not a multiple of tokens_per_block "
                    + "\(tokensPerBlock)")
        }
        guard order.firstStride == order.tightFirstStride else {
            throw .unsupported(
                "tensor \(tensor): shape \(order.shape) is padded to \(order.firstStride) elements on its first "
                    + "axis; it must be tight (\(order.tightFirstStride))")
        }
        return (order.shape[0] / tokensPerBlock, Array(order.shape.dropFirst()))
    }

    /// Reads one layer of the one-tensor layout `[blocks, layers, 2, heads × slots × head size]`.
    init(
        layer: Int, layerCount: Int, blockCount: Int, headCount: Int, slotsPerBlock: Int, headSize: Int,
        elementType: ElementType
    ) {
        self.format = .blocksLayersPlanesHeadsSlots
        self.headSize = headSize
        self.headCount = headCount
        self.slotsPerBlock = slotsPerBlock
        self.blockCount = blockCount
        self.elementType = elementType
        self.tensorShape = [blockCount, layerCount, 2, headCount, slotsPerBlock, headSize]
        let page = headCount * slotsPerBlock * headSize
        self.origins = (0..<2).map {
            .init(tensor: 0, offset: (layer * 2 + $0) * page, blockStride: layerCount * 2 * page)
        }
    }
}
