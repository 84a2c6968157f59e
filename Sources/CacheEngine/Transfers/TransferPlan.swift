// lmcache · SPDX-License-Identifier: Apache-2.0

import DeviceTransfer
import KVModel

/// The checked, chunk-aligned form of a worker's transfer: which chunks, and which engine blocks hold each.
///
/// Pure: the same key, layout and block ids give the same plan or the same refusal.
struct TransferPlan: Sendable {
    /// The worker's rank.
    let rank: Int
    /// Chunks of the prompt.
    let chunks: Range<Int>
    private let layout: KVCacheLayout
    private let blockIDs: [[Int32]]

    enum Refusal: Error, Equatable, CustomStringConvertible {
        case schedulerKey
        case unalignedRange(start: Int, end: Int, chunkSize: Int)
        case rangePastTokens(end: Int, tokens: Int)
        case wrongGroupCount(given: Int, expected: Int)
        case tooFewBlocks(group: Int, given: Int, needed: Int)
        case blockOutOfRange(group: Int, id: Int, blockCount: Int)

        var description: String {
            switch self {
            case .schedulerKey: "worker_id is nil; a transfer needs the worker's rank"
            case .unalignedRange(let start, let end, let chunkSize):
                "range \(start)..<\(end) is not made of whole chunks of \(chunkSize) tokens"
            case .rangePastTokens(let end, let tokens): "end \(end) lies past the \(tokens) tokens given"
            case .wrongGroupCount(let given, let expected):
                "block ids for \(given) kernel groups, the registration has \(expected)"
            case .tooFewBlocks(let group, let given, let needed):
                "kernel group \(group) needs \(needed) block ids for the range, got \(given)"
            case .blockOutOfRange(let group, let id, let blockCount):
                "block id \(id) of kernel group \(group) is outside 0 ..< \(blockCount)"
            }
        }
    }

    /// Checks an order against a registration's layout. Surplus block ids are ignored.
    ///
    /// - Parameter clampedEnd: Where the range ends if earlier than the key says, for engines that always ask for
    ///   everything; nil otherwise.
    init(order: TransferOrder, layout: KVCacheLayout, clampedEnd: Int? = nil) throws(Refusal) {
        let key = order.key
        guard let rank = key.workerID else { throw .schedulerKey }
        let end = min(key.end, clampedEnd ?? key.end)
        guard key.start >= 0, end >= key.start, key.start % layout.chunkSize == 0, end % layout.chunkSize == 0 else {
            throw .unalignedRange(start: key.start, end: end, chunkSize: layout.chunkSize)
        }
        guard end <= key.tokenIDs.count else { throw .rangePastTokens(end: end, tokens: key.tokenIDs.count) }
        let chunks = key.start / layout.chunkSize..<end / layout.chunkSize
        self.rank = rank
        self.chunks = chunks
        self.layout = layout
        self.blockIDs = try Self.checkedBlocks(order.blockIDs, layout: layout, chunkCount: chunks.count)
    }

    private static func checkedBlocks(
        _ given: [[Int32]], layout: KVCacheLayout, chunkCount: Int
    ) throws(Refusal) -> [[Int32]] {
        guard given.count == layout.kernelGroups.count else {
            throw .wrongGroupCount(given: given.count, expected: layout.kernelGroups.count)
        }
        var checked: [[Int32]] = []
        for (group, ids) in zip(layout.kernelGroups, given) {
            // The range lies within the prompt's tokens and a chunk has at most chunk-size blocks: no overflow.
            let needed = chunkCount * group.blocksPerChunk
            guard ids.count >= needed else {
                throw .tooFewBlocks(group: group.index, given: ids.count, needed: needed)
            }
            for id in ids.prefix(needed) where !(0..<group.blockCount ~= Int(id)) {
                throw .blockOutOfRange(group: group.index, id: Int(id), blockCount: group.blockCount)
            }
            checked.append(ids)
        }
        return checked
    }

    /// For each kernel group of an object group: the block ids of one chunk of the prompt.
    func blocks(objectGroup: ObjectGroup, chunk: Int) -> [ArraySlice<Int32>] {
        objectGroup.kernelGroups.map { index in
            let perChunk = self.layout.kernelGroups[index].blocksPerChunk
            let first = (chunk - self.chunks.lowerBound) * perChunk
            return self.blockIDs[index][first..<first + perChunk]
        }
    }

    /// Whether every block of the chunk is the engine's placeholder, so that there is nothing to store.
    func isPlaceholder(objectGroup: ObjectGroup, chunk: Int, nullBlockID: Int?) -> Bool {
        guard let nullBlockID else { return false }
        return self.blocks(objectGroup: objectGroup, chunk: chunk).allSatisfy {
            $0.allSatisfy { Int($0) == nullBlockID }
        }
    }

    /// For each kernel group of an object group: leading blocks of the chunk that a retrieve must leave alone. Nil when
    /// the whole chunk lies inside the skipped tokens.
    func skippedBlocks(objectGroup: ObjectGroup, chunk: Int, skippedTokens: Int) -> [Int]? {
        let before = (chunk - self.chunks.lowerBound) * self.layout.chunkSize
        let skipped = min(max(0, skippedTokens - before), self.layout.chunkSize)
        if skipped == self.layout.chunkSize { return nil }
        if skipped == 0 { return [] }
        return objectGroup.kernelGroups.map { skipped / self.layout.kernelGroups[$0].tokensPerBlock }
    }

    /// The chunks of the range that a retrieve needs from an object group.
    func neededChunks(objectGroup: ObjectGroup) -> Range<Int> {
        let needed = objectGroup.window.needed(forPrefix: self.chunks.count)
        return self.chunks.lowerBound + needed.lowerBound..<self.chunks.lowerBound + needed.upperBound
    }
}
