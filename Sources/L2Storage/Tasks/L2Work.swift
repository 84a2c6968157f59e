// lmcache · SPDX-License-Identifier: Apache-2.0

internal import KVModel

/// One item's work, apart from its batch, so that a thread holds no other item's buffer.
enum L2Work: Sendable {
    case store(L2Object)
    case lookup(L2Probe)
    case load(L2Object)
    case delete(ObjectKey)

    /// Bytes of the item's buffer.
    var byteCount: Int {
        switch self {
        case .store(let object), .load(let object): object.buffer.byteCount
        case .lookup, .delete: 0
        }
    }
}

extension L2Operation {
    /// - Precondition: `index` is within the batch.
    func work(at index: Int) -> L2Work {
        switch self {
        case .store(let objects): .store(objects[index])
        case .lookup(let probes): .lookup(probes[index])
        case .load(let objects): .load(objects[index])
        case .delete(let keys): .delete(keys[index])
        }
    }

    /// Some of the batch's items.
    ///
    /// - Precondition: `range` is within the batch.
    func part(_ range: Range<Int>) -> L2Operation {
        switch self {
        case .store(let objects): .store(Array(objects[range]))
        case .lookup(let probes): .lookup(Array(probes[range]))
        case .load(let objects): .load(Array(objects[range]))
        case .delete(let keys): .delete(Array(keys[range]))
        }
    }
}
