// lmcache · SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// The environment variables of this process that adapters ask for.
package enum ProcessVariables {
    /// Those of the named ones that are set.
    package static func named(_ names: [String]) -> [String: String] {
        var values: [String: String] = [:]
        for name in names { values[name] = getenv(name).map { String(cString: $0) } }
        return values
    }
}
