// lmcache · SPDX-License-Identifier: Apache-2.0

import CLMCache

/// Why a function of the library failed: what it returns and one line for `lmcache_last_error`.
struct LibraryError: Error, Equatable {
    let result: Result
    let text: String

    /// `enum lmcache_result` of the header, without success; `LayoutTests` compares the numbers.
    enum Result: Int32, CaseIterable {
        case invalidArgument = 1
        case invalidConfiguration = 2
        case unavailable = 3
        case timedOut = 4
        case closed = 5
        case otherProcess = 6
        case unknownTicket = 7
        case tooMany = 8
    }

    init(_ result: Result, _ text: String) {
        self.result = result
        self.text = text
    }

    static let closed = LibraryError(.closed, "the instance was destroyed, or never was one")
}

extension LibraryError {
    /// Runs `body`; a failure becomes the thread's last error and `otherwise`'s value.
    static func reported<Value>(
        otherwise: (LibraryError) -> Value, _ body: () throws(LibraryError) -> Value
    ) -> Value {
        do throws(LibraryError) {
            return try body()
        } catch {
            // One line, whatever a message quotes.
            let line = error.text.split(whereSeparator: \.isNewline).joined(separator: " ")
            lmc_library_set_last_error(line)
            return otherwise(error)
        }
    }

    /// The same for functions that return `enum lmcache_result`.
    static func result(_ body: () throws(LibraryError) -> Void) -> Int32 {
        self.reported(otherwise: { $0.result.rawValue }) { () throws(LibraryError) -> Int32 in
            try body()
            return 0
        }
    }
}
