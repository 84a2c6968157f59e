// lmcache · SPDX-License-Identifier: Apache-2.0

/// Bounds on what a peer may claim, well above what engines send.
package enum ProtocolLimits {
    /// UTF-8 bytes of a model name, request id or method name.
    package static let nameByteCount = 4096
    /// Unicode scalars of a cache salt.
    package static let saltLength = 128
    /// Lists of block ids, one a kernel group.
    package static let kernelGroupCount = 4096
    /// Tensors or engine groups of one registration.
    package static let tensorCount = 16_384
    /// Axes of one tensor.
    package static let rank = 16
    /// Workers that read the same object.
    package static let readerCount = 4096
    /// Largest count, size or index in a registration that is not an offset into memory.
    package static let geometry = Int(Int32.max)
    /// Longest wait that a client may ask for, in seconds; longer ones are shortened to it.
    package static let waitSeconds = 86_400.0
    /// Events in one batch of a subscription.
    package static let eventBatchSize = 1024
    /// Records, keys or slots in one list.
    package static let recordCount = 1 << 20
    /// UTF-8 bytes of the reason in a refusal.
    package static let reasonByteCount = 1024
}
