// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel

extension KVCacheLayout {
    /// Checks a transfer against the layout and the arena's size, before any byte moves. Nil when it may run.
    package func refusal(of transfer: Transfer, arenaByteCount: Int) -> TransferFailure? {
        for object in transfer.objects {
            if let failure = self.refusal(of: object, transfer: transfer, arenaByteCount: arenaByteCount) {
                return failure
            }
        }
        return nil
    }

    private func refusal(of object: ObjectCopy, transfer: Transfer, arenaByteCount: Int) -> TransferFailure? {
        guard self.objectGroups.indices.contains(object.objectGroup) else {
            return .noSuchObjectGroup(object.objectGroup)
        }
        let group = self.objectGroups[object.objectGroup]
        let (place, expected) = (object.place, group.layout.byteCount)
        guard place.byteCount == expected, place.offset >= 0, expected <= arenaByteCount,
            place.offset <= arenaByteCount - expected
        else { return .wrongPlace(place, expectedByteCount: expected) }
        let isSkipFitting = object.skipBlocks.isEmpty || object.skipBlocks.count == group.kernelGroups.count
        guard object.blockIDs.count == group.kernelGroups.count, isSkipFitting else {
            return .wrongBlockCount(objectGroup: group.index)
        }
        for (member, kernelIndex) in group.kernelGroups.enumerated() {
            let kernel = self.kernelGroups[kernelIndex]
            let ids = object.blockIDs[member]
            let skip = transfer.skip(of: object, member: member)
            guard ids.count == kernel.blocksPerChunk, (0...kernel.blocksPerChunk).contains(skip) else {
                return .wrongBlockCount(objectGroup: group.index)
            }
            for position in PagePlan(kernel).positions(skip: skip) {
                let id = Int(ids[ids.startIndex + position])
                guard id >= 0, id < kernel.blockCount else {
                    return .blockOutOfRange(id: id, blockCount: kernel.blockCount)
                }
            }
        }
        return nil
    }
}

extension Transfer {
    /// Leading blocks that this transfer leaves alone for one kernel group of an object.
    package func skip(of object: ObjectCopy, member: Int) -> Int {
        self.direction == .load && !object.skipBlocks.isEmpty ? object.skipBlocks[member] : 0
    }
}
