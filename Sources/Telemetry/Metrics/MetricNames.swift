// lmcache · SPDX-License-Identifier: Apache-2.0

/// Turns names given through swift-metrics into names that Prometheus accepts.
enum MetricNames {
    /// A metric name: letters, digits, `_` and `:`, not starting with a digit; anything else becomes `_`.
    static func metric(_ name: String) -> String { Self.sanitized(name, colonAllowed: true) }

    /// A label name: letters, digits and `_`, not starting with a digit; anything else becomes `_`.
    static func label(_ name: String) -> String { Self.sanitized(name, colonAllowed: false) }

    private static func sanitized(_ name: String, colonAllowed: Bool) -> String {
        func isValid(_ byte: UInt8, first: Bool) -> Bool {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"): true
            case UInt8(ascii: "0")...UInt8(ascii: "9"): !first
            case UInt8(ascii: ":"): colonAllowed
            default: false
            }
        }
        var isFirst = true
        var isClean = true
        for byte in name.utf8 {
            if !isValid(byte, first: isFirst) { isClean = false }
            isFirst = false
        }
        if isFirst { return "_" }
        if isClean { return name }
        var bytes: [UInt8] = []
        for byte in name.utf8 { bytes.append(isValid(byte, first: bytes.isEmpty) ? byte : UInt8(ascii: "_")) }
        return String(decoding: bytes, as: UTF8.self)
    }
}
