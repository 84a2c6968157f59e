// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel

/// Layers that share one page geometry, element type and block-id space. Wire protocol §4.2.
package struct KernelGroup: Sendable, Equatable {
    /// Position among the kernel groups; block-id lists come in this order.
    package let index: Int
    package let format: KVFormat
    /// Layer numbers in registration order. For key and value lists and for one-tensor layouts: 0 ..< layers.
    package let layerIndices: [Int]
    /// The engine's own number for the group's block ids.
    package let engineGroupID: Int
    /// The object group that holds these layers' bytes.
    package let objectGroup: Int
    /// 1 for multi-head latent attention.
    package let headCount: Int
    /// Elements of one head in one slot; keys and values together where the format packs them.
    package let headSize: Int
    package let slotsPerBlock: Int
    /// Tokens that one block id stands for; a multiple of `slotsPerBlock`.
    package let tokensPerBlock: Int
    /// Block ids that a store or retrieve gives for each chunk.
    package let blocksPerChunk: Int
    /// The last blocks of each chunk that are copied; fewer than `blocksPerChunk` only for a window below one chunk.
    package let keptBlocksPerChunk: Int
    /// Valid block ids are `0 ..< blockCount`.
    package let blockCount: Int
    package let elementType: ElementType
    /// Sliding window in tokens; -1 for full attention.
    package let windowTokens: Int
    /// Shape of one registered tensor after physical order was recovered, for reports.
    package let tensorShape: [Int]
    /// Where the pages lie.
    package let geometry: PageGeometry

    /// Keys and values as separate planes (2), or one plane.
    package var planeCount: Int { self.format.planeCount }
    /// True for one latent vector a slot.
    package var isMLA: Bool { self.format == .latent }
    package var layerCount: Int { self.layerIndices.count }
    /// Elements of one slot of one plane of one layer.
    package var width: Int { self.headCount * self.headSize }
    /// Slots of one object, of one plane of one layer.
    package var slotsPerObject: Int { self.keptBlocksPerChunk * self.slotsPerBlock }
    /// Bytes of this group in one object.
    package var byteCount: Int {
        self.planeCount * self.layerCount * self.slotsPerObject * self.width * self.elementType.byteCount
    }

    /// The tensors' shape in numbers, as `/status` reports it: `4 x [2, 256, 16, 8, 128]`.
    package var concreteShape: String {
        let shape = "[" + self.tensorShape.map(String.init).joined(separator: ", ") + "]"
        return switch self.format {
        case .blocksLayersPlanesHeadsSlots: shape
        case .separatePlanes: "2 x \(self.layerCount) x \(shape)"
        default: "\(self.layerCount) x \(shape)"
        }
    }
}
