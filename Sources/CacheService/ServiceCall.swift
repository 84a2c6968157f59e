// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheProtocol
import KVModel

/// One request on its way to a handler, and who sent it.
struct ServiceCall: Sendable {
    let connection: ConnectionID
    let request: RequestFrames.Request
}

/// Which operations move bytes: the server's stores and retrieves, the engines' own, or both.
package enum TransferMode: String, Sendable, CaseIterable {
    case lmcacheDriven = "lmcache_driven"
    case engineDriven = "engine_driven"
    case auto

    package var servesLMCacheDriven: Bool { self != .engineDriven }
    package var servesEngineDriven: Bool { self != .lmcacheDriven }
}
