// lmcache · SPDX-License-Identifier: Apache-2.0

/// Small checks that throw the one-line error of a setting.
enum SettingCheck {
    /// Throws unless `condition` holds.
    static func require(
        _ condition: Bool,
        _ setting: String,
        given: some CustomStringConvertible,
        accepted: String,
        reason: String? = nil
    ) throws(ConfigurationError) {
        if condition { return }
        throw ConfigurationError(setting: setting, given: given.description, accepted: accepted, reason: reason)
    }

    /// Throws unless `value` lies in `range`.
    static func range(_ setting: String, _ value: Int, _ range: ClosedRange<Int>) throws(ConfigurationError) {
        try self.require(range.contains(value), setting, given: value, accepted: SettingText.integer(range))
    }

    /// Throws unless `value` is finite, above the lower bound of `range` and at most its upper bound.
    static func above(_ setting: String, _ value: Double, _ range: ClosedRange<Double>) throws(ConfigurationError) {
        try self.require(
            value.isFinite && value > range.lowerBound && value <= range.upperBound,
            setting,
            given: value,
            accepted: SettingText.number(above: range)
        )
    }

    /// Throws when a setting that is not built is in use.
    static func absent(
        _ setting: String,
        _ given: String?,
        accepted: String,
        reason: String
    ) throws(ConfigurationError) {
        guard let given, !given.isEmpty else { return }
        throw ConfigurationError(setting: setting, given: given, accepted: accepted, reason: reason)
    }
}

/// Phrases that follow "accepted is".
package enum SettingText {
    /// For an integer in a range.
    package static func integer(_ range: ClosedRange<Int>) -> String {
        "an integer from \(range.lowerBound) to \(range.upperBound)"
    }

    /// For a number above the lower bound of a range.
    package static func number(above range: ClosedRange<Double>) -> String {
        "a number above \(Self.short(range.lowerBound)) and at most \(Self.short(range.upperBound))"
    }

    /// For one of several words.
    package static func choice(_ words: [String]) -> String {
        guard let last = words.last, words.count > 1 else { return words.joined() }
        return words.dropLast().joined(separator: ", ") + " or " + last
    }

    /// `2.0` as `2`.
    private static func short(_ value: Double) -> String {
        Int(exactly: value).map(String.init) ?? String(value)
    }
}
