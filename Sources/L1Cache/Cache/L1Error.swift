// lmcache · SPDX-License-Identifier: Apache-2.0

/// Why the first tier could not be set up.
package enum L1Error: Error, Equatable, CustomStringConvertible {
    /// A setting outside what is accepted: the flag, what was given, what is accepted.
    case invalidSetting(flag: String, given: String, accepted: String)
    /// Another process owns the segment.
    case segmentInUse(name: String)
    /// A segment of this name exists and belongs to another user.
    case segmentNotOwned(name: String)
    /// The system refused a call that cannot be done without.
    case system(call: String, errno: Int32)

    package var description: String {
        switch self {
        case .invalidSetting(let flag, let given, let accepted): "\(flag): \(given) was given, accepted is \(accepted)"
        case .segmentInUse(let name):
            "--shm-name: the shared memory segment \(name) is in use by another server; choose another name or stop it"
        case .segmentNotOwned(let name):
            "--shm-name: the shared memory segment \(name) belongs to another user; choose another name"
        case .system(let call, let errno): "--l1-size-gb: \(call) failed with errno \(errno) while memory was set up"
        }
    }
}
