// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel

@testable import DeviceTransfer

/// Small pages of one format and where each element lies, by the formulas of the wire protocol (§4.4) alone.
struct PageOracle: Sendable, CustomStringConvertible {
    let format: KVFormat
    let layers: Int
    let blocks: Int
    let slots: Int
    let heads: Int
    let size: Int
    let type: ElementType
    /// Elements between blocks, beyond their size.
    let padding: Int

    var description: String {
        "\(self.format) NL \(self.layers) NB \(self.blocks) BS \(self.slots) NH \(self.heads) HS \(self.size) "
            + "\(self.type) padding \(self.padding)"
    }

    var planes: Int { [1, 2, 6, 7, 8, 9].contains(self.format.rawValue) ? 2 : 1 }
    var width: Int { self.heads * self.size }

    var tensorShape: [Int] {
        let (nl, nb, bs, nh, hs) = (self.layers, self.blocks, self.slots, self.heads, self.size)
        return switch self.format {
        case .planesBlocksSlotsHeads: [2, nb, bs, nh, hs]
        case .planesBlocksHeadsSlots: [2, nb, nh, bs, hs]
        case .blocksPlanesSlotsHeads: [nb, 2, bs, nh, hs]
        case .blocksPlanesHeadsSlots: [nb, 2, nh, bs, hs]
        case .latent: [nb, bs, hs]
        case .packedHeadsSlots: [nb, nh, bs, hs]
        case .packedSlotsHeads, .component: [nb, bs, nh, hs]
        case .separatePlanes: [nb * bs, nh, hs]
        case .blocksLayersPlanesHeadsSlots: [nb, nl, 2, nh * bs * hs]
        }
    }

    var tensorCount: Int {
        switch self.format {
        case .separatePlanes: 2 * self.layers
        case .blocksLayersPlanesHeadsSlots: 1
        default: self.layers
        }
    }

    private var engine: EngineKind {
        switch self.format {
        case .separatePlanes, .component: .sglang
        case .blocksLayersPlanesHeadsSlots: .trtllm
        default: .vllm
        }
    }

    private var hints: LayoutHints {
        switch self.format {
        case .separatePlanes: LayoutHints(tokensPerBlock: self.slots, listLayout: .keysThenValues)
        case .component: LayoutHints(listLayout: .unified)
        case .blocksLayersPlanesHeadsSlots:
            LayoutHints(kvHeadCount: self.heads, tokensPerBlock: self.slots, headDimension: self.size)
        case .planesBlocksHeadsSlots, .blocksPlanesHeadsSlots, .packedHeadsSlots: LayoutHints(kvLayout: .hnd)
        default: LayoutHints(kvLayout: .nhd)
        }
    }

    /// Every tensor in a segment of its own, `/kv0`, `/kv1`, …, three elements into it.
    func registration(groups: [EngineGroup] = []) -> KVCacheRegistration {
        let shape = self.tensorShape
        let tensors = (0..<self.tensorCount).map {
            tensor(
                shape, stride: strides(of: shape, padding: self.padding), type: self.type, offset: Self.lead,
                name: "/kv\($0)")
        }
        return DeviceTransferTests.registration(tensors, engine: self.engine, hints: self.hints, groups: groups)
    }

    static let lead = 3

    /// Element d of head h of slot s of block b of plane k of a layer: tensor and element after its first.
    func position(layer: Int, k: Int, b: Int, s: Int, h: Int, d: Int) -> (tensor: Int, element: Int) {
        let (nl, nb, bs, nh, hs) = (self.layers, self.blocks, self.slots, self.heads, self.size)
        let s0 = strides(of: self.tensorShape, padding: self.padding)[0]
        return switch self.format {
        case .planesBlocksSlotsHeads: (layer, ((k * nb + b) * bs + s) * nh * hs + h * hs + d)
        case .planesBlocksHeadsSlots: (layer, (((k * nb + b) * nh + h) * bs + s) * hs + d)
        case .blocksPlanesSlotsHeads: (layer, ((b * 2 + k) * bs + s) * nh * hs + h * hs + d)
        case .blocksPlanesHeadsSlots: (layer, (((b * 2 + k) * nh + h) * bs + s) * hs + d)
        case .latent: (layer, b * s0 + s * hs + d)
        case .packedHeadsSlots: (layer, b * s0 + (h * bs + s) * hs + d)
        case .packedSlotsHeads, .component: (layer, b * s0 + (s * nh + h) * hs + d)
        case .separatePlanes: (k * nl + layer, (b * bs + s) * nh * hs + h * hs + d)
        case .blocksLayersPlanesHeadsSlots: (0, ((((b * nl + layer) * 2 + k) * nh + h) * bs + s) * hs + d)
        }
    }

    /// Calls with each element of an object: its byte offset there, its block's position, and its place in the pages.
    func forEachElement(
        blockIDs: [Int32], _ body: (_ objectByte: Int, _ position: Int, _ tensor: Int, _ tensorByte: Int) -> Void
    ) {
        let element = self.type.byteCount
        let rows = blockIDs.count * self.slots
        for k in 0..<self.planes {
            for layer in 0..<self.layers {
                for (position, id) in blockIDs.enumerated() {
                    for s in 0..<self.slots {
                        for h in 0..<self.heads {
                            for d in 0..<self.size {
                                let row = (k * self.layers + layer) * rows + position * self.slots + s
                                let object = row * self.width + h * self.size + d
                                let page = self.position(layer: layer, k: k, b: Int(id), s: s, h: h, d: d)
                                body(
                                    object * element, position, page.tensor, (page.element + Self.lead) * element)
                            }
                        }
                    }
                }
            }
        }
    }

    func objectByteCount(blocks: Int) -> Int {
        self.planes * self.layers * blocks * self.slots * self.width * self.type.byteCount
    }
}
