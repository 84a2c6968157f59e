// lmcache · SPDX-License-Identifier: Apache-2.0

import CSystemShims
import Glibc

/// Moves the bytes of checked transfers. Used by one thread.
final class PageCopier {
    private let arena: ArenaView
    private let scratch: UnsafeMutableRawBufferPointer
    /// Larger blocks are transposed without the detour.
    private static let scratchByteCount = 256 * 1024

    init(arena: ArenaView) {
        self.arena = arena
        self.scratch = .allocate(byteCount: Self.scratchByteCount, alignment: 64)
    }

    deinit { self.scratch.deallocate() }

    /// Copies every object. The transfer must have passed ``KVCacheLayout/refusal(of:arenaByteCount:)``.
    func run(_ transfer: Transfer, layout: KVCacheLayout, tensors: MappedTensors) {
        for object in transfer.objects {
            guard var part = self.arena.address(of: object.place) else { continue }
            for (member, kernelIndex) in layout.objectGroups[object.objectGroup].kernelGroups.enumerated() {
                let kernel = layout.kernelGroups[kernelIndex]
                let plan = PagePlan(kernel)
                let shape = plan.isTransposed ? BlockTransposition(kernel) : nil
                let isStore = transfer.direction == .store
                plan.forEachPiece(
                    blockIDs: object.blockIDs[member], skip: transfer.skip(of: object, member: member),
                    protectedBlockID: isStore ? nil : transfer.protectedBlockID
                ) { piece in
                    guard let tensor = tensors.firstElements[piece.tensor] else { return }
                    let page = tensor + piece.pageOffset
                    let place = part + piece.objectOffset
                    if let shape {
                        isStore ? self.gather(shape, page, place, piece) : shape.scatter(from: place, to: page)
                    } else if isStore {
                        lmc_copy_streaming(place, page, piece.byteCount)
                    } else {
                        memcpy(page, place, piece.byteCount)
                    }
                }
                part += kernel.byteCount
            }
        }
    }

    /// Transposes in cached memory and streams the result, since nobody here reads the arena again soon.
    private func gather(
        _ shape: BlockTransposition, _ page: UnsafeMutableRawPointer, _ place: UnsafeMutableRawPointer,
        _ piece: PagePlan.Piece
    ) {
        guard let scratch = self.scratch.baseAddress, piece.byteCount <= self.scratch.count else {
            shape.gather(from: page, to: place)
            return
        }
        shape.gather(from: page, to: scratch)
        lmc_copy_streaming(place, scratch, piece.byteCount)
    }
}
