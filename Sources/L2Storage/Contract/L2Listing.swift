// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel

/// Which keys to list, and from where.
package struct L2ListQuery: Sendable {
    /// Only this model's keys, or nil for all.
    package var modelName: String?
    /// Most keys in the page. At least 1.
    package var limit: Int
    /// What the page before said, or nil for the first page.
    package var cursor: String?
    /// When the caller stops waiting, or nil for never.
    package var deadline: L2Instant?

    package init(modelName: String? = nil, limit: Int = 500, cursor: String? = nil, deadline: L2Instant? = nil) {
        self.modelName = modelName
        self.limit = max(1, limit)
        self.cursor = cursor
        self.deadline = deadline
    }
}

/// One page of stored keys.
package struct L2Page: Sendable, Equatable {
    package var keys: [ObjectKey]
    /// Where the next page begins, or nil after the last one.
    package var next: String?

    package init(keys: [ObjectKey], next: String?) {
        self.keys = keys
        self.next = next
    }
}
