// lmcache · SPDX-License-Identifier: Apache-2.0

package import MessagePack

/// Why a message is refused.
///
/// Every text names the payload or field, what was given and what is accepted.
package enum ProtocolError: Error, Equatable {
    /// A request with more or fewer payload frames than its operation has.
    case payloadCount(given: Int, accepted: Int)
    /// Bytes that are not the MessagePack type of the field.
    case malformed(field: String, MessagePackError)
    /// A map lacks a field that has no default.
    case missing(field: String)
    /// A value of the right type that is not allowed.
    case notAccepted(field: String, given: String, accepted: String)

    /// The same error seen from one level further out.
    func within(_ outer: String) -> ProtocolError {
        switch self {
        case .payloadCount: self
        case .malformed(let field, let cause): .malformed(field: outer + field, cause)
        case .missing(let field): .missing(field: outer + field)
        case .notAccepted(let field, let given, let accepted):
            .notAccepted(field: outer + field, given: given, accepted: accepted)
        }
    }
}

extension ProtocolError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .payloadCount(let given, let accepted): "\(given) payload frames given, \(accepted) accepted"
        case .malformed(let field, let cause): "\(field): \(cause)"
        case .missing(let field): "\(field): missing"
        case .notAccepted(let field, let given, let accepted):
            "\(field): \(Self.shortened(given)) given, \(accepted) accepted"
        }
    }

    /// A peer's text for one log line: at most 80 characters, control characters replaced.
    private static func shortened(_ text: String) -> String {
        let visible = text.unicodeScalars.prefix(80).map { scalar in
            scalar.value < 0x20 || scalar.value == 0x7f ? "?" : String(Character(scalar))
        }
        return visible.joined() + (text.unicodeScalars.count > 80 ? "…" : "")
    }
}
