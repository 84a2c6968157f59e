// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel

/// One registration as the client sent it, kept so that a restarted server can take it up again.
package struct JournaledRegistration: Sendable, Equatable {
    /// Which operation made it.
    package enum Kind: UInt8, Sendable, CaseIterable {
        /// `register_kv_cache`.
        case cache = 1
        /// `register_kv_cache_engine_driven_context`.
        case engineDriven = 2
    }

    package let kind: Kind
    package let instance: InstanceID
    /// The request's payload frames, byte for byte.
    package let frames: [[UInt8]]

    package init(kind: Kind, instance: InstanceID, frames: [[UInt8]]) {
        self.kind = kind
        self.instance = instance
        self.frames = frames
    }
}

/// One entry of the journal file.
package enum JournalRecord: Sendable, Equatable {
    /// A registration was made, or replaces the one of the same kind and instance.
    case registered(JournaledRegistration)
    /// A registration ended.
    case unregistered(JournaledRegistration.Kind, InstanceID)
}
