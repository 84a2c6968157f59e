// lmcache · SPDX-License-Identifier: Apache-2.0

import Telemetry

/// Lists of block ids in the short form that LMCache reports.
enum BlockRanges {
    /// Keeps order; three or more ids that follow one another become `[first, last]`.
    static func json(_ ids: [Int]) -> JSONValue {
        var parts: [JSONValue] = []
        var start = 0
        while start < ids.count {
            var end = start
            while end + 1 < ids.count, ids[end] < Int.max, ids[end + 1] == ids[end] + 1 { end += 1 }
            if end - start >= 2 {
                parts.append([.integer(ids[start]), .integer(ids[end])])
            } else {
                parts += ids[start...end].map { .integer($0) }
            }
            start = end + 1
        }
        return .array(parts)
    }
}
