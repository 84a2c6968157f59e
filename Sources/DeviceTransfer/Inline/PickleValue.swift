// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel

/// One value of the pickle machine. Containers are numbers into the machine's tables, so that no input can nest Swift
/// values.
enum PickleValue {
    case none
    case boolean(Bool)
    case integer(Int)
    /// UTF-8 in the input.
    case text(Range<Int>)
    /// Bytes in the input.
    case bytes(Range<Int>)
    /// A list, by its number.
    case list(Int)
    /// A run of the tuple table.
    case tuple(Range<Int>)
    /// A dictionary whose content nobody reads.
    case dictionary
    case global(PickleGlobal)
    /// A described storage of an inner stream, not read yet.
    case storageKey(PickledStorageKey)
    case storage(PickledStorage)
    /// A tensor, by its number.
    case tensor(Int)
}

/// The only names that a pickle may refer to. None of them is ever called.
enum PickleGlobal: Equatable {
    case rebuildTensor2, rebuildTensor3, loadFromBytes, orderedDictionary
    /// A storage class with its element type; nil for untyped bytes.
    case storageClass(ElementType?)
    case elementType(ElementType)

    init?(module: String, name: String) {
        switch (module, name) {
        case ("torch._utils", "_rebuild_tensor_v2"): self = .rebuildTensor2
        case ("torch._utils", "_rebuild_tensor_v3"): self = .rebuildTensor3
        case ("torch.storage", "_load_from_bytes"): self = .loadFromBytes
        case ("collections", "OrderedDict"): self = .orderedDictionary
        case ("torch.storage", "UntypedStorage"), ("torch", "UntypedStorage"): self = .storageClass(nil)
        case ("torch", let name):
            if let type = StorageClass.elementType(name) {
                self = .storageClass(type)
            } else if let type = ElementType(rawValue: name) {
                self = .elementType(type)
            } else {
                return nil
            }
        default: return nil
        }
    }
}

/// Torch's legacy storage class names.
enum StorageClass {
    /// Nil for types that only travel as untyped bytes.
    static func name(_ type: ElementType) -> String? {
        switch type {
        case .float64: "DoubleStorage"
        case .float32: "FloatStorage"
        case .float16: "HalfStorage"
        case .bfloat16: "BFloat16Storage"
        case .int64: "LongStorage"
        case .int32: "IntStorage"
        case .int16: "ShortStorage"
        case .int8: "CharStorage"
        case .uint8: "ByteStorage"
        case .bool: "BoolStorage"
        default: nil
        }
    }

    static func elementType(_ name: String) -> ElementType? {
        ElementType.allCases.first { self.name($0) == name }
    }
}

/// What the persistent id of an inner stream says.
struct PickledStorageKey: Equatable {
    /// Nil for untyped bytes.
    let elementType: ElementType?
    let key: Range<Int>
    /// In elements; in bytes when untyped.
    let count: Int
}

/// Bytes of one storage, in the input.
struct PickledStorage: Equatable {
    let elementType: ElementType?
    let bytes: Range<Int>
}

/// One tensor of the list: its elements lie in the input.
struct PickledTensor: Equatable {
    let tensor: TensorDescription
    /// The whole storage; the tensor's span was checked against it.
    let storage: Range<Int>
}

/// Why bytes are not an accepted pickle.
struct PickleError: Error, Equatable {
    let text: String
    let offset: Int
}
