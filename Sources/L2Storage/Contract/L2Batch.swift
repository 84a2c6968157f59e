// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel

/// Objects that one task is about, all with the same operation.
package struct L2Batch: Sendable {
    package let operation: L2Operation
    /// When the caller stops waiting, or nil for never.
    package let deadline: L2Instant?
    /// Called once with one result for each item, in the items' order.
    package let completion: @Sendable ([L2Result]) -> Void

    package init(
        _ operation: L2Operation, deadline: L2Instant? = nil, completion: @escaping @Sendable ([L2Result]) -> Void
    ) {
        self.operation = operation
        self.deadline = deadline
        self.completion = completion
    }
}

/// What a batch does with its items.
package enum L2Operation: Sendable {
    /// Writes each buffer under its key, unless the key is there with a fitting length.
    case store([L2Object])
    /// Tells which keys could be loaded, without reading them. Nothing is locked.
    case lookup([L2Probe])
    /// Fills each buffer. A buffer whose result is not `done` has undefined content.
    case load([L2Object])
    case delete([ObjectKey])

    /// Items in the batch.
    package var count: Int {
        switch self {
        case .store(let objects), .load(let objects): objects.count
        case .lookup(let probes): probes.count
        case .delete(let keys): keys.count
        }
    }

    /// The items' keys, in their order.
    package var keys: [ObjectKey] {
        switch self {
        case .store(let objects), .load(let objects): objects.map(\.key)
        case .lookup(let probes): probes.map(\.key)
        case .delete(let keys): keys
        }
    }

    /// Bytes of buffers in the batch.
    package var byteCount: Int {
        switch self {
        case .store(let objects), .load(let objects): objects.reduce(0) { $0 + $1.buffer.byteCount }
        case .lookup, .delete: 0
        }
    }
}

/// A key with the memory that holds or shall hold its bytes.
package struct L2Object: Sendable {
    package let key: ObjectKey
    package let buffer: L2Buffer

    package init(key: ObjectKey, buffer: L2Buffer) {
        self.key = key
        self.buffer = buffer
    }
}

/// A key and the length that its object must have.
package struct L2Probe: Sendable {
    package let key: ObjectKey
    package let byteCount: Int

    package init(key: ObjectKey, byteCount: Int) {
        self.key = key
        self.byteCount = byteCount
    }
}
