// lmcache · SPDX-License-Identifier: Apache-2.0

import DeviceTransfer
import Telemetry

extension PinningReading {
    /// What a CUDA device reports of its page-locked memory.
    init(_ report: DeviceReport) {
        func figure(_ name: String) -> Int { report.figures.first { $0.name == name }?.value ?? 0 }
        self.init(
            pinnedBytes: figure("pinned_bytes"), isFailing: report.notes.contains { $0.hasPrefix("pinning") },
            unpinnedBytesCopied: figure("unpinned_bytes_copied"))
    }
}
