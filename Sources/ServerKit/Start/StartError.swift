// lmcache · SPDX-License-Identifier: Apache-2.0

/// Why the server did not come up, in one line.
package enum StartError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Somebody else listens there.
    case addressInUse(setting: String, address: String)
    /// The address names nothing of this machine, or may not be bound.
    case unusableAddress(setting: String, given: String, accepted: String, reason: String)
    /// A part failed for a reason of its own, which names the flag where there is one.
    case failed(part: String, reason: String)

    /// 3 for a busy address, 2 for a bad value, 1 for the rest.
    package var exitCode: Int32 {
        switch self {
        case .addressInUse: 3
        case .unusableAddress: 2
        case .failed: 1
        }
    }

    package var description: String {
        switch self {
        case .addressInUse(let setting, let address):
            "The address \(address) of '\(setting)' is in use: another server runs there, or choose a free one"
        case .unusableAddress(let setting, let given, let accepted, let reason):
            "The value '\(given)' is invalid for '\(setting)': accepted is \(accepted) (\(reason))"
        case .failed(let part, let reason):
            "The \(part) did not start: \(reason)"
        }
    }
}
