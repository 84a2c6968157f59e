// lmcache · SPDX-License-Identifier: Apache-2.0

import Glibc

/// The environment variables of this process.
enum ProcessEnvironment {
    /// All of them; an entry without `=` is left out.
    ///
    /// Read once, before other threads exist.
    static func all() -> [String: String] {
        var result: [String: String] = [:]
        var next: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?> = environ
        while let entry = next.pointee {
            let text = String(cString: entry)
            if let equals = text.firstIndex(of: "=") {
                result[String(text[..<equals])] = String(text[text.index(after: equals)...])
            }
            next += 1
        }
        return result
    }
}
