// lmcache · SPDX-License-Identifier: Apache-2.0

import CCUDATypes
import KVModel

/// PyTorch's count of one share of a storage; a receiver that has closed the memory takes one off. Wire protocol §3.2.
struct TorchReference: Sendable, Equatable {
    private let name: String
    private let index: UInt64

    init?(_ storage: MemoryDescriptor.Storage) {
        guard case .cuda(let cuda) = storage, let name = cuda.referenceCounterName,
            let index = UInt64(exactly: cuda.referenceCounterIndex), !name.isEmpty, name.count < 256, !name.contains(0)
        else { return nil }
        self.name = String(decoding: name, as: UTF8.self)
        self.index = index
    }

    /// Takes one off, as far as the exporter's file is still there.
    func drop() { self.name.withCString { lmc_cuda_drop_torch_reference($0, self.index) } }
}
