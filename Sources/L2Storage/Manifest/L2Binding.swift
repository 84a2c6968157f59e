// lmcache · SPDX-License-Identifier: Apache-2.0

/// What binding a model to a medium came to.
package enum L2Binding: Sendable, Equatable {
    /// There was no manifest; it is written now.
    case written
    case matches
    /// The medium holds this model's objects in another layout: none is served or stored.
    case conflicts
    /// The medium could not be asked; objects are served until it says otherwise.
    case unavailable
}
