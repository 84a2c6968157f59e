// lmcache · SPDX-License-Identifier: Apache-2.0

package import Telemetry

/// What the HTTP front asks of the server behind it.
///
/// Called from several threads.
package protocol AdminOperations: AnyObject, Sendable {
    /// False until the cache is there; the front then answers 503.
    var isReady: Bool { get }

    /// The `/status` object, without the fields that the front adds.
    func status() -> JSONValue

    /// The `/config` object.
    func configuration() -> JSONValue

    /// What lies behind the pool.
    var tiers: any AdminTiers { get }

    /// Clears L1. Without `force`, objects in use stay.
    func clear(force: Bool)

    /// Why no checksum can be made for this instance, nil when one can.
    ///
    /// 501 without server-driven transfers, 404 when it is not registered.
    func checksumRefusal(instance: Int64) -> AdminError?

    /// MD5 sums of an engine's blocks, as the `chunk_checksums` member of the answer.
    ///
    /// An array, or an object of arrays (`layer_0`, …) when layerwise. `blockIDs` is not empty and `blocksPerChunk` is
    /// positive; the ids are unchecked. Must end soon after its task is cancelled.
    func checksums(
        instance: Int64,
        blockIDs: [Int],
        blocksPerChunk: Int,
        layerwise: Bool
    ) async -> Result<JSONValue, AdminError>
}

/// A refusal that is answered as `{"detail": …}`.
package struct AdminError: Error, Sendable, Equatable {
    /// The HTTP status.
    package let status: Int
    package let detail: String

    package init(status: Int, detail: String) {
        self.status = status
        self.detail = detail
    }
}
