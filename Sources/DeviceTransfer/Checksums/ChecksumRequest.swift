// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel

/// Hashes an engine's blocks where they lie. Server surface §2.5.
package struct ChecksumRequest: Sendable {
    let blockIDs: [Int]
    let blocksPerChunk: Int
    let isLayerwise: Bool

    /// Shows bytes of a tensor, from an offset after its first element on.
    package typealias PageReader = (
        _ tensor: Int, _ byteOffset: Int, _ byteCount: Int, _ body: (UnsafeRawBufferPointer) -> Void
    ) -> Void

    /// - Parameter blocksPerChunk: Positive.
    package init(blockIDs: [Int], blocksPerChunk: Int, isLayerwise: Bool) {
        precondition(blocksPerChunk > 0, "a chunk has at least one block")
        self.blockIDs = blockIDs
        self.blocksPerChunk = blocksPerChunk
        self.isLayerwise = isLayerwise
    }

    /// One layer's planes.
    private struct Layer {
        let group: KernelGroup
        let origins: [PageGeometry.Origin]
    }

    /// Runs on the device's thread.
    func run(
        layout: KVCacheLayout, tensors: MappedTensors, calls: any SharedMemoryCalls
    ) -> Result<ChunkChecksums, ChecksumError> {
        if let name = tensors.shrunkSegment(calls: calls) { return .failure(.engineMemoryShrunk(name: name)) }
        return self.run(layout: layout) { tensor, offset, count, body in
            guard let first = tensors.firstElements[tensor] else { return }
            body(UnsafeRawBufferPointer(start: first + offset, count: count))
        }
    }

    /// Runs on the device's thread. Every byte that is read lies in a valid block.
    package func run(layout: KVCacheLayout, read: PageReader) -> Result<ChunkChecksums, ChecksumError> {
        let layers = Self.layers(layout)
        for layer in layers {
            guard layer.group.format.hasBlockAxisForChecksums else {
                return .failure(.unsupportedFormat(layer.group.format))
            }
            let count = layer.group.blockCount
            if let id = self.blockIDs.first(where: { $0 < 0 || $0 >= count }) {
                return .failure(.blockOutOfRange(id: id, blockCount: count))
            }
        }
        let chunks = stride(from: 0, to: self.blockIDs.count, by: self.blocksPerChunk).map { start in
            self.blockIDs[start..<min(self.blockIDs.count - start, self.blocksPerChunk) + start]
        }
        guard self.isLayerwise else {
            return .success(.chunks(chunks.map { Self.digest(layers, blocks: $0, read: read) }))
        }
        return .success(
            .layers(layers.map { layer in chunks.map { Self.digest([layer], blocks: $0, read: read) } }))
    }

    private static func layers(_ layout: KVCacheLayout) -> [Layer] {
        let numbered = layout.kernelGroups.flatMap { group in
            group.layerIndices.enumerated().map { position, index in
                let origins = (0..<group.planeCount).map {
                    group.geometry.origins[$0 * group.layerCount + position]
                }
                return (index, Layer(group: group, origins: origins))
            }
        }
        return numbered.sorted { $0.0 < $1.0 }.map(\.1)
    }

    private static func digest(_ layers: [Layer], blocks: ArraySlice<Int>, read: PageReader) -> String {
        var hash = MD5()
        for layer in layers {
            if layer.group.format.hasBlocksFirst {
                for block in blocks {
                    for origin in layer.origins { self.update(&hash, layer.group, origin, block, read) }
                }
            } else {
                for origin in layer.origins {
                    for block in blocks { self.update(&hash, layer.group, origin, block, read) }
                }
            }
        }
        return hash.hexDigest()
    }

    private static func update(
        _ hash: inout MD5, _ group: KernelGroup, _ origin: PageGeometry.Origin, _ block: Int, _ read: PageReader
    ) {
        let element = group.elementType.byteCount
        let offset = (origin.offset + block * origin.blockStride) * element
        read(origin.tensor, offset, group.slotsPerBlock * group.width * element) { bytes in
            self.update(&hash, bytes, isBFloat16: group.elementType == .bfloat16)
        }
    }

    /// As float32 where numpy has no such type.
    private static func update(_ hash: inout MD5, _ bytes: UnsafeRawBufferPointer, isBFloat16: Bool) {
        guard isBFloat16 else {
            hash.update(bytes)
            return
        }
        var widened = [UInt32]()
        widened.reserveCapacity(bytes.count / 2)
        for offset in stride(from: 0, to: bytes.count, by: 2) {
            let half = UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
            widened.append((UInt32(half) << 16).littleEndian)
        }
        widened.withUnsafeBytes { hash.update($0) }
    }
}

extension KVFormat {
    /// The formats that the route hashes.
    fileprivate var hasBlockAxisForChecksums: Bool {
        switch self {
        case .planesBlocksSlotsHeads, .blocksPlanesSlotsHeads, .latent: true
        case .planesBlocksHeadsSlots, .blocksPlanesHeadsSlots: true
        default: false
        }
    }

    /// True where one block's planes are neighbours.
    fileprivate var hasBlocksFirst: Bool {
        self != .planesBlocksSlotsHeads && self != .planesBlocksHeadsSlots
    }
}
