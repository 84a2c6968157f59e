// lmcache · SPDX-License-Identifier: Apache-2.0

/// What a server answered to one command.
enum RESPAnswer: Equatable, Sendable {
    case simple(String)
    /// The server's words, which begin with a code such as `WRONGTYPE`.
    case error(String)
    case integer(Int)
    /// A string for which nobody had prepared memory.
    case bulk([UInt8])
    /// A string that is now in the command's buffer, of exactly its length.
    case filled
    /// A string of another length than the command's buffer; its bytes are gone.
    case wrongLength(Int)
    case array([RESPAnswer])
    case none

    /// An error's first word.
    var errorCode: Substring? {
        guard case .error(let text) = self else { return nil }
        return text.prefix { $0 != " " }
    }
}
