// lmcache · SPDX-License-Identifier: Apache-2.0

/// Whether a model's objects on a medium are in the layout that this process means.
package enum L2Binding: Sendable, Equatable {
    /// The medium says the same, or says it from now on.
    case agrees
    /// The medium holds this model in another layout: none of it is served or stored.
    case conflicts
    /// The medium keeps no manifests.
    case unknown
    /// The medium does not answer.
    case failed(L2Failure)
}

extension L2Medium {
    package func bind(to manifest: L2NamespaceManifest) -> L2Binding { .unknown }
}

extension L2Adapter {
    package func bind(to manifest: L2NamespaceManifest) -> L2Binding { .unknown }
}
