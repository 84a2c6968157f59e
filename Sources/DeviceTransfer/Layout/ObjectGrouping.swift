// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel

/// Decides which kernel groups share an object. Wire protocol §4.3.
struct ObjectGrouping {
    private struct Bucket: Hashable {
        let tag: Int
        let isRecurrent: Bool
        let windowChunks: Int
    }

    /// One object group, before its layout is known.
    struct Draft: Equatable {
        var kernelGroups: [Int]
        let windowChunks: Int
        let kind: ObjectGroup.Kind
    }

    /// All kernel groups in one object with full attention.
    static func together(count: Int) -> [Draft] {
        [Draft(kernelGroups: Array(0..<count), windowChunks: -1, kind: .attention)]
    }

    /// One object group for each window and state kind; tagged groups by tag, last.
    ///
    /// - Parameter windows: For each kernel group: its window in tokens, or -1.
    static func separate(
        buckets: [KernelGrouping.Bucket], windows: [Int], chunkSize: Int
    ) -> [Draft] {
        var drafts: [(bucket: Bucket, draft: Draft)] = []
        for (index, kernel) in buckets.enumerated() {
            let tag = max(0, kernel.engineGroup?.extraObjectGroupTag ?? 0)
            let isRecurrent = kernel.engineGroup?.isRecurrentState ?? false
            // Rounded up without a sum that could overflow.
            let window = windows[index]
            let chunks = window <= 0 ? -1 : window / chunkSize + (window % chunkSize == 0 ? 0 : 1)
            let bucket = Bucket(tag: tag, isRecurrent: tag == 0 && isRecurrent, windowChunks: tag == 0 ? chunks : 0)
            if let found = drafts.firstIndex(where: { $0.bucket == bucket }) {
                drafts[found].draft.kernelGroups.append(index)
            } else {
                let kind: ObjectGroup.Kind = tag > 0 ? .auxiliary : (isRecurrent ? .recurrent : .attention)
                drafts.append((bucket, Draft(kernelGroups: [index], windowChunks: chunks, kind: kind)))
            }
        }
        return drafts.filter { $0.draft.kind != .auxiliary }.map(\.draft)
            + drafts.filter { $0.draft.kind == .auxiliary }.map(\.draft)
    }
}
