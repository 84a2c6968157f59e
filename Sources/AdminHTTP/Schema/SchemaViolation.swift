// lmcache · SPDX-License-Identifier: Apache-2.0

import Telemetry

/// One way in which a request does not fit its schema, in the shape that LMCache's clients read.
struct SchemaViolation: Sendable, Equatable {
    /// The kind, for example `missing` or `int_type`.
    let type: String
    /// `body`, `query` or `path`, then member names and positions.
    let location: [JSONValue]
    let message: String
    let input: JSONValue
    var context: JSONValue?

    var json: JSONValue {
        var members: [(String, JSONValue)] = [
            ("type", .string(self.type)), ("loc", .array(self.location)), ("msg", .string(self.message)),
            ("input", self.input),
        ]
        if let context = self.context { members.append(("ctx", context)) }
        return .object(members)
    }
}
