// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel

/// Kernel groups that are stored together in one object. Wire protocol §4.3.
package struct ObjectGroup: Sendable, Equatable {
    /// What the layers keep, which decides whether lookups count the group.
    package enum Kind: String, Sendable {
        case attention, recurrent
        /// Carried along; never asked for in lookups.
        case auxiliary = "aux"
    }

    package let index: Int
    /// Indices of the kernel groups, ascending: the order of their bytes.
    package let kernelGroups: [Int]
    /// Chunks that a prefix needs from this group.
    package let window: PrefixWindow
    package let kind: Kind
    /// Shapes `[planes, layers, slots, width]`, one a kernel group.
    package let layout: ObjectLayout
}
