// lmcache · SPDX-License-Identifier: Apache-2.0

/// The type of one element of a KV tensor, by its torch name without the `torch.` prefix.
package enum ElementType: String, Sendable, Hashable, CaseIterable {
    case float64, float32, float16, bfloat16
    case float8e4m3fn = "float8_e4m3fn"
    case float8e5m2 = "float8_e5m2"
    case float8e4m3fnuz = "float8_e4m3fnuz"
    case float8e5m2fnuz = "float8_e5m2fnuz"
    case float8e8m0fnu = "float8_e8m0fnu"
    case int64, int32, int16, int8, uint64, uint32, uint16, uint8, bool

    /// Reads a torch name, with or without `torch.`.
    package init?(torchName: String) {
        self.init(rawValue: torchName.hasPrefix("torch.") ? String(torchName.dropFirst(6)) : torchName)
    }

    /// Size of one element, in bytes.
    package var byteCount: Int {
        switch self {
        case .float64, .int64, .uint64: 8
        case .float32, .int32, .uint32: 4
        case .float16, .bfloat16, .int16, .uint16: 2
        case .float8e4m3fn, .float8e5m2, .float8e4m3fnuz, .float8e5m2fnuz, .float8e8m0fnu, .int8, .uint8, .bool: 1
        }
    }
}
