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
                    let (destination, source) = isStore ? (place, page) : (page, place)
                    if let shape {
                        self.transpose(shape, isStore: isStore, destination, source, byteCount: piece.byteCount)
                    } else {
                        lmc_copy_streaming(destination, source, piece.byteCount)
                    }
                }
                part += kernel.byteCount
            }
        }
    }

    /// Gets memory for the pages that a transfer will touch, so that touching them cannot raise SIGBUS. False when there is
    /// none. The transfer must have passed ``KVCacheLayout/refusal(of:arenaByteCount:)``.
    func back(_ transfer: Transfer, layout: KVCacheLayout, tensors: MappedTensors) -> Bool {
        var isBacked = true
        for object in transfer.objects where isBacked {
            for (member, kernelIndex) in layout.objectGroups[object.objectGroup].kernelGroups.enumerated() {
                PagePlan(layout.kernelGroups[kernelIndex]).forEachPiece(
                    blockIDs: object.blockIDs[member], skip: transfer.skip(of: object, member: member),
                    protectedBlockID: transfer.direction == .store ? nil : transfer.protectedBlockID
                ) { piece in
                    guard isBacked, let tensor = tensors.firstElements[piece.tensor] else { return }
                    isBacked = Self.back(tensor + piece.pageOffset, byteCount: piece.byteCount)
                }
            }
        }
        return isBacked
    }

    private static func back(_ start: UnsafeMutableRawPointer, byteCount: Int) -> Bool {
        let lead = Int(bitPattern: start) % Int(getpagesize())
        // EINVAL: a kernel before 5.14 cannot say, and the copy has to try.
        return lmc_populate_write(start - lead, lead + byteCount) == 0 || errno == EINVAL
    }

    /// Transposes in cached memory and streams the result: both sides of a block are one run of bytes, and neither the
    /// arena nor the pages are read again soon by this process.
    private func transpose(
        _ shape: BlockTransposition, isStore: Bool, _ destination: UnsafeMutableRawPointer,
        _ source: UnsafeMutableRawPointer, byteCount: Int
    ) {
        let scratch = byteCount <= self.scratch.count ? self.scratch.baseAddress : nil
        if isStore {
            shape.gather(from: source, to: scratch ?? destination)
        } else {
            shape.scatter(from: source, to: scratch ?? destination)
        }
        if let scratch { lmc_copy_streaming(destination, scratch, byteCount) }
    }
}
