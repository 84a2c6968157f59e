// lmcache · SPDX-License-Identifier: Apache-2.0

import DeviceTransfer

/// A way of moving fragments; raw values as `LMCACHE_CUDA_COPY` takes them.
package enum CopyStrategy: String, Sendable, CaseIterable {
    /// A kernel between the pages and a ring of device memory, and large copies between the ring and the arena.
    case staging
    /// A kernel between the pages and the page-locked arena.
    case direct
    /// One copy call a fragment; needs no kernel.
    case copies

    /// The measured choice, for a machine where kernels work.
    ///
    /// On an H100 with 32 KiB fragments: staging 55.0 GB/s both ways, direct 52.4 and 51.1, copies below 2 MiB a
    /// fragment far less, from there on 50.7 and no kernel that takes time from the engine (docs/gpu.md).
    static func chosen(for direction: Transfer.Direction, fragmentBytes: Int) -> CopyStrategy {
        fragmentBytes >= 4 << 20 ? .copies : .staging
    }
}
