// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel

/// What an adapter with threads does for one item: blocking calls, made from several threads at once.
///
/// Nothing here knows tasks or deadlines; a call may take for ever, which then costs its thread and nothing else.
package protocol L2Medium: AnyObject, Sendable {
    func store(_ object: L2Object) -> L2Result
    func lookup(_ probe: L2Probe) -> L2Result
    func load(_ object: L2Object) -> L2Result
    func delete(_ key: ObjectKey) -> L2Result
    func list(_ query: L2ListQuery) -> Result<L2Page, L2Failure>
    /// Compares a manifest with the one on the medium, and writes it where there is none. Blocks.
    func bind(to manifest: L2NamespaceManifest) -> L2Binding
    func usage() -> L2Usage
    func leastRecent(limit: Int) -> [ObjectKey]
    /// Called once, after the last other call has returned.
    func shutDown()
}
