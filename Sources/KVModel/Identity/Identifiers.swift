// lmcache · SPDX-License-Identifier: Apache-2.0

/// One client connection, numbered by the transport in order of arrival and never reused.
package struct ConnectionID: Hashable, Sendable, CustomStringConvertible {
    /// The transport's number.
    package let rawValue: UInt64

    /// Wraps a transport's number.
    package init(_ rawValue: UInt64) { self.rawValue = rawValue }

    package var description: String { "connection-\(self.rawValue)" }
}

/// One registration of an engine worker, chosen by the client: 63 random bits or a process id.
package struct InstanceID: Hashable, Sendable, CustomStringConvertible {
    /// The client's number.
    package let rawValue: Int64

    /// Wraps a client's number.
    package init(_ rawValue: Int64) { self.rawValue = rawValue }

    package var description: String { String(self.rawValue) }
}

/// Model name and cache salt, as one small number inside this process.
package struct NamespaceID: Hashable, Sendable {
    /// Index given by ``NamespaceTable``.
    package let rawValue: UInt32

    /// Wraps an index.
    package init(_ rawValue: UInt32) { self.rawValue = rawValue }
}

/// What keeps tenants, models and incompatible layouts of one model apart.
package struct Namespace: Hashable, Sendable {
    /// Never contains `@`.
    package let modelName: String
    /// At most 128 characters, none of `@ / \ NUL`; empty for no salt.
    package let cacheSalt: String
    /// The part of the object layout that is equal on all ranks, spelled out (``ObjectLayout/signature``).
    ///
    /// The wire's keys do not carry the element type: without this an engine restarted with another one would be served
    /// bytes of the right length and the wrong meaning.
    package let layoutSignature: String

    /// Wraps validated strings.
    package init(modelName: String, cacheSalt: String, layoutSignature: String = "") {
        self.modelName = modelName
        self.cacheSalt = cacheSalt
        self.layoutSignature = layoutSignature
    }
}
