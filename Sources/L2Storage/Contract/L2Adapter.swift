// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel

/// One second tier: an asynchronous store of whole objects by key.
///
/// Any thread may call any method and none blocks, ``close(milliseconds:)`` apart. A completion runs exactly once for
/// every accepted task, on a thread of the adapter, of the caller of ``expireOverdue()``, ``cancel(_:)`` or of
/// `close`, and never under a lock. It must return soon.
package protocol L2Adapter: AnyObject, Sendable {
    /// What the configuration calls this kind, such as `fs`.
    var kind: String { get }

    /// Takes a batch, or refuses it; a refused batch is dropped at once and its completion never runs.
    func submit(_ batch: L2Batch) -> L2Submission

    /// Lists stored keys in pages, in an order that the adapter chooses.
    func list(_ query: L2ListQuery, completion: @escaping @Sendable (Result<L2Page, L2Failure>) -> Void) -> L2Submission

    /// Ends a task: what has not finished is reported as cancelled.
    ///
    /// Transfers that already run keep their buffers until the medium has let go of them. Unknown tasks are ignored.
    func cancel(_ task: L2TaskID)

    /// Ends tasks whose deadline has passed by the adapter's clock; call it every few milliseconds.
    func expireOverdue()

    /// Compares a manifest with the one on the medium, and writes it where there is none.
    ///
    /// Blocks the caller for as long as the medium takes.
    func bind(to manifest: L2NamespaceManifest) -> L2Binding

    /// Space used, from the adapter's own accounts; no I/O.
    func usage() -> L2Usage

    /// What has happened since the start.
    func counters() -> L2Counters

    /// The stored keys that were used least recently, oldest first; none where the adapter keeps no order.
    func leastRecent(limit: Int) -> [ObjectKey]

    /// Refuses new work, ends what is queued as closed and waits for what runs.
    ///
    /// - Returns: True when everything has ended; false when a transfer still ran after `milliseconds`, whose thread
    ///   and buffers then stay until it ends.
    func close(milliseconds: Int) -> Bool
}

extension L2Adapter {
    package func leastRecent(limit: Int) -> [ObjectKey] { [] }
}

/// One accepted task, numbered by its adapter and never reused.
package struct L2TaskID: Hashable, Sendable {
    package let rawValue: UInt64

    package init(_ rawValue: UInt64) { self.rawValue = rawValue }
}

/// Whether an adapter took a task.
package enum L2Submission: Sendable, Equatable {
    case accepted(L2TaskID)
    /// As much is queued as the adapter takes; the caller goes without.
    case busy
    case closed
}
