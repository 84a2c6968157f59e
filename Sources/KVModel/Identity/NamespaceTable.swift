// lmcache · SPDX-License-Identifier: Apache-2.0

/// Interns namespaces, so that keys and hot paths carry a number instead of strings.
///
/// Grows by one entry a namespace and never shrinks; `limit` bounds what hostile salts can occupy.
package struct NamespaceTable: Sendable {
    /// Most namespaces that are ever named.
    package let limit: Int
    private var identifiers: [Namespace: NamespaceID] = [:]
    private var namespaces: [Namespace] = []

    /// Makes an empty table.
    package init(limit: Int = 1 << 20) {
        self.limit = limit
    }

    /// The number of a namespace, given on first use, or nil when the table is full.
    package mutating func intern(_ namespace: Namespace) -> NamespaceID? {
        if let known = self.identifiers[namespace] { return known }
        guard self.namespaces.count < self.limit else { return nil }
        let identifier = NamespaceID(UInt32(self.namespaces.count))
        self.namespaces.append(namespace)
        self.identifiers[namespace] = identifier
        return identifier
    }

    /// The number of a namespace that was interned before.
    package func identifier(of namespace: Namespace) -> NamespaceID? {
        self.identifiers[namespace]
    }

    /// The numbers of every namespace of a model and salt, whatever the layout.
    package func identifiers(modelName: String, cacheSalt: String) -> [NamespaceID] {
        self.namespaces.indices.filter {
            self.namespaces[$0].modelName == modelName && self.namespaces[$0].cacheSalt == cacheSalt
        }.map { NamespaceID(UInt32($0)) }
    }

    /// The namespace behind a number.
    ///
    /// - Precondition: `identifier` came from this table.
    package subscript(identifier: NamespaceID) -> Namespace {
        self.namespaces[Int(identifier.rawValue)]
    }
}
