// lmcache · SPDX-License-Identifier: Apache-2.0

import Telemetry
import YAMLReader

/// A document taken apart: a file's keys, variables, an overlay, and which worker it is for.
struct ConfigurationLayers {
    private static let members: Set<String> = ["file", "file_name", "environment", "overlay", "rank"]

    /// What messages call the file.
    var fileName = "configuration"
    var file: [(String, JSONValue)] = []
    /// Only `LMCACHE_*`, without the prefix and in lower case, sorted.
    var environment: [(name: String, text: String)] = []
    var overlay: [(String, JSONValue)] = []
    var rank = 0

    /// - Throws: For what is no document of either form.
    init(document: String) throws(InProcessConfigurationError) {
        let value = try Self.read(document, name: "configuration")
        guard let members = try Self.mapping(value, name: "configuration") else { return }
        guard !members.isEmpty, members.allSatisfy({ Self.members.contains($0.0) }) else {
            self.file = members
            return
        }
        try self.takeFile(value)
        try self.takeEnvironment(value["environment"])
        self.overlay = try Self.mapping(value["overlay"] ?? .null, name: "overlay") ?? []
        switch value["rank"] ?? .null {
        case .null: break
        case .integer(let rank) where rank >= 0: self.rank = rank
        case let other:
            throw InProcessConfigurationError("'rank' is \(other.serialized()), accepted is a whole number from 0 on")
        }
    }

    private mutating func takeFile(_ value: JSONValue) throws(InProcessConfigurationError) {
        switch value["file_name"] ?? .null {
        case .null: break
        case .string(let name): self.fileName = name
        case let other: throw InProcessConfigurationError("'file_name' is \(other.serialized()), accepted is a text")
        }
        switch value["file"] ?? .null {
        case .null: break
        case .string(let text):
            self.file = try Self.mapping(try Self.read(text, name: self.fileName), name: self.fileName) ?? []
        case let other:
            throw InProcessConfigurationError("'file' is \(other.serialized().prefix(80)), accepted is a file's text")
        }
    }

    private mutating func takeEnvironment(_ value: JSONValue?) throws(InProcessConfigurationError) {
        let prefix = "LMCACHE_"
        for (name, value) in try Self.mapping(value ?? .null, name: "environment") ?? [] where name.hasPrefix(prefix) {
            guard case .string(let text) = value else {
                throw InProcessConfigurationError("\(name) is \(value.serialized()), accepted is a text")
            }
            let plain = Self.unquoted(text)
            // An empty variable is one that was not set.
            if !plain.isEmpty { self.environment.append((String(name.dropFirst(prefix.count)).lowercased(), plain)) }
        }
        self.environment.sort { $0.name < $1.name }
    }

    /// The text without one or more pairs of quotes around it.
    private static func unquoted(_ text: String) -> String {
        var rest = text[...].trimmingSpaces
        while rest.count >= 2, let quote = rest.first, quote == "'" || quote == "\"", rest.last == quote {
            rest = rest.dropFirst().dropLast()
        }
        return String(rest)
    }

    private static func read(_ text: String, name: String) throws(InProcessConfigurationError) -> JSONValue {
        do {
            return try YAMLDocument.read(text)
        } catch {
            throw InProcessConfigurationError("\(name), \(error)")
        }
    }

    /// The members of a mapping; nil for null.
    private static func mapping(
        _ value: JSONValue, name: String
    ) throws(InProcessConfigurationError) -> [(String, JSONValue)]? {
        switch value {
        case .object(let members): return members
        case .null: return nil
        default: throw InProcessConfigurationError("\(name): accepted is a mapping of keys to values")
        }
    }
}
