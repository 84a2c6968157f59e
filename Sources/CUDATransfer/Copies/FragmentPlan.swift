// lmcache · SPDX-License-Identifier: Apache-2.0

import CCUDATypes
import DeviceTransfer
import KVModel

/// Turns a checked transfer into batches of fragments, for one registration's addresses. Pure arithmetic.
struct FragmentPlan: Sendable {
    private let layout: KVCacheLayout
    private let firstElements: [UInt64?]
    private let plans: [PagePlan]
    /// For each kernel group: which of ``shapes`` its blocks have; nil where blocks are runs of bytes.
    private let shapeIndices: [Int?]
    /// One for each kernel group whose blocks are transposed.
    let shapes: [lmc_copy_shape]

    /// A run longer than this is given to several thread blocks.
    static let longestRunOfKernels = 64 << 10

    init(layout: KVCacheLayout, firstElements: [UInt64?]) {
        self.layout = layout
        self.firstElements = firstElements
        self.plans = layout.kernelGroups.map { PagePlan($0) }
        var shapes: [lmc_copy_shape] = []
        var indices: [Int?] = []
        for plan in self.plans {
            indices.append(plan.isTransposed ? shapes.count : nil)
            if plan.isTransposed { shapes.append(lmc_copy_shape(plan.group)) }
        }
        self.shapes = shapes
        self.shapeIndices = indices
    }

    /// The largest piece that cannot be cut: one transposed block. 0 when there is none.
    var largestBlockByteCount: Int {
        zip(self.plans, self.shapeIndices).reduce(0) { largest, next in
            let group = next.0.group
            let bytes = group.slotsPerBlock * group.width * group.elementType.byteCount
            return next.1 == nil ? largest : max(largest, bytes)
        }
    }

    /// Bytes of one block of one plane, over all kernel groups the least: what decides the strategy.
    var leastBlockByteCount: Int {
        self.plans.map { $0.group.slotsPerBlock * $0.group.width * $0.group.elementType.byteCount }.min() ?? 0
    }

    /// Calls `body` with each batch in order. The transfer must have passed
    /// ``KVCacheLayout/refusal(of:arenaByteCount:)``.
    ///
    /// - Parameter longestRun: Longer runs of bytes are cut.
    func forEachBatch<Failure: Error>(
        of transfer: Transfer, cutter: BatchCutter, longestRun: Int, _ body: (CopyBatch) throws(Failure) -> Void
    ) throws(Failure) {
        var cutter = cutter
        var pending: [CopyBatch] = []
        for object in transfer.objects {
            self.add(object, of: transfer, to: &cutter, longestRun: longestRun, full: &pending)
            for batch in pending { try body(batch) }
            pending.removeAll(keepingCapacity: true)
        }
        if !cutter.batch.isEmpty { try body(cutter.take()) }
    }

    private func add(
        _ object: ObjectCopy, of transfer: Transfer, to cutter: inout BatchCutter, longestRun: Int,
        full: inout [CopyBatch]
    ) {
        var part = object.place.offset
        for (member, kernel) in self.layout.objectGroups[object.objectGroup].kernelGroups.enumerated() {
            let shape = self.shapeIndices[kernel]
            self.plans[kernel].forEachPiece(
                blockIDs: object.blockIDs[member], skip: transfer.skip(of: object, member: member),
                protectedBlockID: transfer.direction == .store ? nil : transfer.protectedBlockID
            ) { piece in
                guard let first = self.firstElements[piece.tensor] else { return }
                var done = 0
                while done < piece.byteCount {
                    let length = shape == nil ? min(longestRun, piece.byteCount - done) : piece.byteCount
                    let added = cutter.add(
                        page: first + UInt64(piece.pageOffset + done), arenaOffset: part + piece.objectOffset + done,
                        byteCount: length, shape: shape)
                    if added == 0 { full.append(cutter.take()) }
                    done += added
                }
            }
            part += self.layout.kernelGroups[kernel].byteCount
        }
    }
}

extension lmc_copy_shape {
    /// Strides of one block; they fit, because a page's bytes were checked against its allocation.
    init(_ group: KernelGroup) {
        let element = group.elementType.byteCount
        self.init(
            slots: UInt32(clamping: group.slotsPerBlock), heads: UInt32(clamping: group.headCount),
            row_bytes: UInt32(clamping: group.headSize * element),
            page_slot_stride: UInt32(clamping: group.geometry.slotStride * element),
            page_head_stride: UInt32(clamping: group.geometry.headStride * element), reserved: (0, 0, 0))
    }
}
