// lmcache · SPDX-License-Identifier: Apache-2.0

import CSystemShims
import Glibc

/// Moves the bytes of checked transfers. Used by one thread.
final class PageCopier {
    private let arena: ArenaView
    private let scratch: UnsafeMutableRawBufferPointer
    private static let scratchByteCount = 256 * 1024
    /// For stores: the processor cannot guess where the next page lies. Loads read the arena in sequence.
    private static let fetchedAheadByteCount = 2048

    private struct Step {
        let destination: UnsafeMutableRawPointer
        let source: UnsafeMutableRawPointer
        let byteCount: Int
    }

    init(arena: ArenaView) {
        self.arena = arena
        self.scratch = .allocate(byteCount: Self.scratchByteCount, alignment: 64)
    }

    deinit { self.scratch.deallocate() }

    /// Copies every object. The transfer must have passed ``KVCacheLayout/refusal(of:arenaByteCount:)``.
    ///
    /// - Parameter mayGoOn: Asked before each object and after the last.
    /// - Returns: False when `mayGoOn` ended it.
    func run(_ transfer: Transfer, layout: KVCacheLayout, tensors: MappedTensors, mayGoOn: () -> Bool) -> Bool {
        for object in transfer.objects {
            guard mayGoOn() else { return false }
            guard var part = self.arena.address(of: object.place) else { continue }
            for (member, kernelIndex) in layout.objectGroups[object.objectGroup].kernelGroups.enumerated() {
                let kernel = layout.kernelGroups[kernelIndex]
                self.copy(kernel, member: member, of: object, at: part, transfer, tensors)
                part += kernel.byteCount
            }
        }
        return mayGoOn()
    }

    private func copy(
        _ kernel: KernelGroup, member: Int, of object: ObjectCopy, at part: UnsafeMutableRawPointer,
        _ transfer: Transfer, _ tensors: MappedTensors
    ) {
        let isStore = transfer.direction == .store
        let plan = PagePlan(kernel)
        let transposition = plan.isTransposed ? BlockTransposition(kernel, direction: transfer.direction) : nil
        var pending: Step?
        plan.forEachPiece(
            blockIDs: object.blockIDs[member], skip: transfer.skip(of: object, member: member),
            protectedBlockID: isStore ? nil : transfer.protectedBlockID
        ) { piece in
            guard let tensor = tensors.firstElements[piece.tensor] else { return }
            let page = tensor + piece.pageOffset
            let place = part + piece.objectOffset
            let next = Step(
                destination: isStore ? place : page, source: isStore ? page : place, byteCount: piece.byteCount)
            if isStore { lmc_fetch_ahead(page, min(piece.byteCount, Self.fetchedAheadByteCount)) }
            if let pending { self.run(pending, transposition) }
            pending = next
        }
        if let pending { self.run(pending, transposition) }
    }

    /// Gets memory for the pages that a transfer will touch, so that touching them cannot raise SIGBUS. False when
    /// there is none. The transfer must have passed ``KVCacheLayout/refusal(of:arenaByteCount:)``.
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

    /// Streams both ways: neither side is read again soon by this process.
    private func run(_ step: Step, _ transposition: BlockTransposition?) {
        if let transposition {
            transposition.copy(from: step.source, to: step.destination, scratch: self.scratch)
        } else {
            lmc_copy_streaming(step.destination, step.source, step.byteCount)
        }
    }
}
