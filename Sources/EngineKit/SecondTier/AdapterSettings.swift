// lmcache · SPDX-License-Identifier: Apache-2.0

package import L2Storage
package import Telemetry

/// One `--l2-adapter` value.
package enum AdapterSettings {
    private static let secrets = [
        "password", "aws_access_key_id", "aws_secret_access_key", "aws_session_token", "token",
    ]

    /// Checks the texts of all `--l2-adapter` flags, in order.
    package static func plans(_ texts: [String]) throws(ConfigurationError) -> [AdapterPlan] {
        var plans: [AdapterPlan] = []
        for (index, text) in texts.enumerated() { plans.append(try self.plan(text, position: index + 1)) }
        return plans
    }

    /// Checks and opens one adapter for a tool that needs no cache.
    ///
    /// - Throws: A ``ConfigurationError`` or an ``AdapterStartError``.
    package static func start(_ text: String, surroundings: AdapterSurroundings) throws -> any L2Adapter {
        try self.plan(text, position: 1).start(surroundings)
    }

    private static func plan(_ text: String, position: Int) throws(ConfigurationError) -> AdapterPlan {
        let value: JSONValue
        do {
            value = try JSONParser.parse(Array(text.utf8))
        } catch {
            // Not shown: it may hold a password.
            throw ConfigurationError(
                setting: "--l2-adapter", given: "#\(position)", accepted: "the JSON object of one adapter",
                reason: "\(error.message) at byte \(error.position)")
        }
        do {
            return try AdapterRegistry.plan(value)
        } catch {
            throw ConfigurationError(
                setting: "--l2-adapter", given: self.masked(value).serialized(),
                accepted: "the JSON object of one adapter", reason: error.description)
        }
    }

    /// The text of an adapter as it may be shown; empty for one that is no JSON.
    package static func masked(_ text: String) -> String {
        (try? JSONParser.parse(Array(text.utf8))).map { self.masked($0).serialized() } ?? ""
    }

    /// The object as it may be shown: secrets are replaced.
    package static func masked(_ value: JSONValue) -> JSONValue {
        switch value {
        case .object(let members):
            .object(
                members.map { name, value in
                    (name, self.secrets.contains(name) && value != .null ? .string("***") : self.masked(value))
                })
        case .array(let values): .array(values.map { self.masked($0) })
        default: value
        }
    }

    /// What `/config` shows of the flags.
    static func json(_ texts: [String]) -> JSONValue {
        .array(
            texts.compactMap { text in
                guard let value = try? JSONParser.parse(Array(text.utf8)), case .object(var members) = value else {
                    return nil
                }
                if value["affinity_tag"] == nil { members.append(("affinity_tag", "_default")) }
                return self.masked(.object(members))
            })
    }
}
