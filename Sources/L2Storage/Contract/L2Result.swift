// lmcache · SPDX-License-Identifier: Apache-2.0

/// How one item of a batch ended.
package enum L2Result: Sendable, Equatable {
    /// Stored, found, loaded or deleted; the object's length in bytes.
    case done(byteCount: Int)
    /// A store found the object there already and wrote nothing.
    case present(byteCount: Int)
    /// Nothing that could be served is stored under the key.
    case miss(L2Miss)
    /// The operation could not be carried out; for a load or a lookup the caller treats it as a miss.
    case failed(L2Failure)

    /// The object is stored, found, loaded or deleted.
    package var isSuccess: Bool {
        switch self {
        case .done, .present: true
        case .miss, .failed: false
        }
    }
}

/// Why a key cannot be served although the medium answered.
package enum L2Miss: Sendable, Equatable {
    case absent
    /// An object of another length; a next store replaces it.
    case wrongLength(found: Int)
    /// Something else has the object's name, such as a directory.
    case notAnObject
    /// The model's manifest on the medium says another layout.
    case otherLayout
    /// The bytes are not those that were stored: their checksum differs.
    case corrupted
}

/// Why an operation could not be carried out.
package enum L2Failure: Error, Sendable, Equatable {
    /// The deadline passed first.
    case expired
    case cancelled
    /// The adapter was closed first.
    case closed
    /// The adapter is at its capacity, or the medium has no space left.
    case full
    /// The key cannot be spelled on this medium.
    case unspellable
    /// The medium does not answer, or its breaker is open.
    case unavailable
    /// A fault-injecting wrapper decided so.
    case injected
    /// A system call failed with this errno.
    case system(call: StaticString, code: Int32)

    /// A bounded word for metrics and logs.
    package var label: StaticString {
        switch self {
        case .expired: "expired"
        case .cancelled: "cancelled"
        case .closed: "closed"
        case .full: "full"
        case .unspellable: "unspellable"
        case .unavailable: "unavailable"
        case .injected: "injected"
        case .system: "system"
        }
    }

    package static func == (left: L2Failure, right: L2Failure) -> Bool {
        switch (left, right) {
        case (.system(let call, let code), .system(let otherCall, let otherCode)):
            code == otherCode && call.description == otherCall.description
        case (.system, _), (_, .system): false
        default: left.label.description == right.label.description
        }
    }
}
