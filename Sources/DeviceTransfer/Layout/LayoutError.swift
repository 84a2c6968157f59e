// lmcache · SPDX-License-Identifier: Apache-2.0

/// Why a registration's tensors cannot be served. The text names the tensor or group and what is accepted.
package enum LayoutError: Error, Equatable, CustomStringConvertible {
    /// The arrangement is known, and refused.
    case unsupported(String)
    /// The figures do not describe tensors that we can address.
    case malformed(String)
    /// Engine groups, windows or block sizes do not fit the tensors or the chunk size.
    case mismatch(String)

    package var description: String {
        switch self {
        case .unsupported(let text), .malformed(let text), .mismatch(let text): text
        }
    }
}
