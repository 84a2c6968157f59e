// lmcache · SPDX-License-Identifier: Apache-2.0

/// What one object's bytes are: one shape and element type for each kernel group in it, concatenated without padding.
///
/// Shapes are `[planes, layers, slots, heads × head size]` in lmcache-driven mode and, with the same bytes,
/// `[2, layers, slots, hidden]` or `[layers, slots, hidden]` in engine-driven mode.
package struct ObjectLayout: Sendable, Equatable {
    /// One part an entry, in kernel-group order.
    package let parts: [Part]
    /// Sum over the parts, in bytes.
    package let byteCount: Int

    package struct Part: Sendable, Equatable {
        package let shape: [Int]
        package let elementType: ElementType

        package init(shape: [Int], elementType: ElementType) {
            self.shape = shape
            self.elementType = elementType
        }
    }

    /// Adds up the parts. Nil when a size is not positive or the sum overflows.
    package init?(parts: [Part]) {
        var total = 0
        for part in parts {
            var bytes = part.elementType.byteCount
            for size in part.shape {
                let (product, overflowed) = bytes.multipliedReportingOverflow(by: size)
                guard size > 0, !overflowed else { return nil }
                bytes = product
            }
            let (sum, overflowed) = total.addingReportingOverflow(bytes)
            guard !overflowed else { return nil }
            total = sum
        }
        guard total > 0 else { return nil }
        self.parts = parts
        self.byteCount = total
    }

    /// What must agree between two registrations of one model for their objects to be exchangeable, equal on all ranks.
    ///
    /// The layer axis is left out, because pipeline stages differ in it; the object's length stands for it.
    package static func signature(of groups: [ObjectLayout], windows: [PrefixWindow], chunkSize: Int) -> String {
        var parts: Set<String> = []
        for layout in groups {
            for part in layout.parts {
                // [planes, layers, slots, width], or [layers, slots, width] for one plane.
                let planes = part.shape.count == 4 ? part.shape[0] : 1
                let inner = part.shape.suffix(2).map(String.init).joined(separator: "x")
                parts.insert("\(planes)x\(inner):\(part.elementType.rawValue)")
            }
        }
        let rules = windows.map { if case .last(let chunks) = $0 { String(chunks) } else { "all" } }
        return "chunk \(chunkSize); \(parts.sorted().joined(separator: ", ")); windows \(rules.joined(separator: ", "))"
    }
}
