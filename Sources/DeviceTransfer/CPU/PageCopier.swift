// lmcache · SPDX-License-Identifier: Apache-2.0

import CSystemShims

/// Moves the bytes of checked transfers. Used by one thread.
final class PageCopier {
    private let arena: ArenaView

    init(arena: ArenaView) { self.arena = arena }

    /// Copies every object. The transfer must have passed ``KVCacheLayout/refusal(of:arenaByteCount:)``.
    func run(_ transfer: Transfer, layout: KVCacheLayout, tensors: MappedTensors) {
        for object in transfer.objects {
            guard var part = self.arena.address(of: object.place) else { continue }
            for (member, kernelIndex) in layout.objectGroups[object.objectGroup].kernelGroups.enumerated() {
                let kernel = layout.kernelGroups[kernelIndex]
                let plan = PagePlan(kernel)
                let isStore = transfer.direction == .store
                let transposition =
                    plan.isTransposed ? BlockTransposition(kernel, direction: transfer.direction) : nil
                plan.forEachPiece(
                    blockIDs: object.blockIDs[member], skip: transfer.skip(of: object, member: member),
                    protectedBlockID: isStore ? nil : transfer.protectedBlockID
                ) { piece in
                    guard let tensor = tensors.firstElements[piece.tensor] else { return }
                    let page = tensor + piece.pageOffset
                    let place = part + piece.objectOffset
                    let (destination, source) = isStore ? (place, page) : (page, place)
                    // Streamed both ways: neither side is read again soon by this process.
                    if let transposition {
                        transposition.copy(from: source, to: destination)
                    } else {
                        lmc_copy_streaming(destination, source, piece.byteCount)
                    }
                }
                part += kernel.byteCount
            }
        }
    }
}
