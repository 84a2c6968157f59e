// lmcache · SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import EngineKit

/// Readers of flag values.
///
/// Each throws a phrase that follows "The value … is invalid for …:".
enum Accepted {
    /// What is accepted, as ArgumentParser prints it behind the flag and the given value.
    struct Refusal: Error, CustomStringConvertible {
        let description: String

        init(_ accepted: String) { self.description = "accepted is " + accepted }
    }

    /// A decimal integer in a range.
    static func integer(_ range: ClosedRange<Int>) -> @Sendable (String) throws -> Int {
        { text in
            guard let value = Int(text), range.contains(value) else { throw Refusal(SettingText.integer(range)) }
            return value
        }
    }

    /// A finite number above the lower bound of a range.
    static func number(above range: ClosedRange<Double>) -> @Sendable (String) throws -> Double {
        { text in
            guard let value = Double(text), value > range.lowerBound, value <= range.upperBound else {
                throw Refusal(SettingText.number(above: range))
            }
            return value
        }
    }

    /// A finite number that is not negative.
    static func numberOrZero(_ accepted: String) -> @Sendable (String) throws -> Double {
        { text in
            guard let value = Double(text), value.isFinite, value >= 0 else { throw Refusal(accepted) }
            return value
        }
    }

    /// One of several words.
    static func choice(_ words: [String]) -> @Sendable (String) throws -> String {
        { text in
            guard words.contains(text) else { throw Refusal(SettingText.choice(words)) }
            return text
        }
    }

    /// An endpoint to bind.
    static let endpoint: @Sendable (String) throws -> BindEndpoint = { text in
        guard let endpoint = BindEndpoint(text) else { throw Refusal(BindEndpoint.accepted) }
        return endpoint
    }
}

extension RequestServerSettings.Transport: ExpressibleByArgument {}
extension RequestServerSettings.EngineType: ExpressibleByArgument {}
extension RequestServerSettings.TransferMode: ExpressibleByArgument {}
extension StorageSettings.EvictionPolicy: ExpressibleByArgument {}
extension StorageSettings.StorePolicy: ExpressibleByArgument {}
extension StorageSettings.PrefetchPolicy: ExpressibleByArgument {}
extension ObservabilitySettings.TraceLevel: ExpressibleByArgument {}
extension ObservabilitySettings.LogFormat: ExpressibleByArgument {}
extension CoordinatorSettings.EventTransport: ExpressibleByArgument {}
