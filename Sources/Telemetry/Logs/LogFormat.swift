// lmcache · SPDX-License-Identifier: Apache-2.0

/// How log lines look.
package struct LogFormat: Sendable, Equatable {
    package enum Shape: String, Sendable, CaseIterable {
        /// LMCache's line: `[time] LMCache LEVEL: message (file:line:module)`.
        case text
        /// One JSON object a line.
        case json
    }

    package var shape: Shape
    /// Whether text lines carry terminal colours.
    package var isColored: Bool

    package init(shape: Shape, isColored: Bool) {
        self.shape = shape
        self.isColored = isColored
    }
}
