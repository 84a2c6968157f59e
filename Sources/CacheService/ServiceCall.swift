// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel

/// One request on its way to a handler: who sent it and what must be echoed.
struct ServiceCall: Sendable {
    let connection: ConnectionID
    /// The client's own bytes, never decoded.
    let uid: [UInt8]
    /// As the client spelled it.
    let operationFrame: [UInt8]
    let payloads: [[UInt8]]

    /// The frames of a reply with a value, or without one.
    func reply(_ value: [UInt8]?) -> [[UInt8]] {
        value.map { [self.uid, self.operationFrame, $0] } ?? [self.uid, self.operationFrame]
    }
}

/// Which operations move bytes: the server's stores and retrieves, the engines' own, or both.
package enum TransferMode: String, Sendable, CaseIterable {
    case lmcacheDriven = "lmcache_driven"
    case engineDriven = "engine_driven"
    case auto

    package var servesLMCacheDriven: Bool { self != .engineDriven }
    package var servesEngineDriven: Bool { self != .lmcacheDriven }
}
