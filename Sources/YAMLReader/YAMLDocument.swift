// lmcache · SPDX-License-Identifier: Apache-2.0

package import Telemetry

/// Reads one YAML document (JSON is YAML) into a value. Any thread.
package enum YAMLDocument {
    /// Deepest nesting.
    private static let depthLimit = 64

    /// The document's value; null for a text without one.
    ///
    /// - Throws: For what is no YAML, more than one document, a key that occurs twice or is no scalar, aliases, and tags
    ///   other than `!!str`.
    package static func read(_ text: String) throws(YAMLError) -> JSONValue {
        let events = try YAMLEvents(text)
        var value: JSONValue?
        while true {
            switch try events.next() {
            case .streamEnd: return value ?? .null
            case .documentStart where value != nil:
                throw YAMLError(line: events.line, reason: "a second document begins; accepted is one")
            case .documentStart: value = try Self.value(try events.next(), from: events, depth: 0)
            default: break
            }
        }
    }

    private static func value(
        _ event: YAMLEvents.Event, from events: YAMLEvents, depth: Int
    ) throws(YAMLError) -> JSONValue {
        guard depth < Self.depthLimit else {
            throw YAMLError(line: events.line, reason: "nested more than \(Self.depthLimit) deep")
        }
        switch event {
        case .scalar(let text, let isPlain): return isPlain ? YAMLScalar.plain(text) : .string(text)
        case .sequenceStart: return try Self.sequence(from: events, depth: depth)
        case .mappingStart: return try Self.mapping(from: events, depth: depth)
        default: throw YAMLError(line: events.line, reason: "a value is missing")
        }
    }

    private static func sequence(from events: YAMLEvents, depth: Int) throws(YAMLError) -> JSONValue {
        var values: [JSONValue] = []
        while true {
            let event = try events.next()
            if event == .sequenceEnd { return .array(values) }
            values.append(try Self.value(event, from: events, depth: depth + 1))
        }
    }

    private static func mapping(from events: YAMLEvents, depth: Int) throws(YAMLError) -> JSONValue {
        var members: [(String, JSONValue)] = []
        var names: Set<String> = []
        while true {
            let event = try events.next()
            if event == .mappingEnd { return .object(members) }
            guard case .scalar(let name, _) = event else {
                throw YAMLError(line: events.line, reason: "a key has to be a single word or text")
            }
            guard names.insert(name).inserted else {
                throw YAMLError(line: events.line, reason: "the key '\(name)' occurs twice")
            }
            members.append((name, try Self.value(try events.next(), from: events, depth: depth + 1)))
        }
    }
}
