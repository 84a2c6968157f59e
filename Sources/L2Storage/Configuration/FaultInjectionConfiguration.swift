// lmcache · SPDX-License-Identifier: Apache-2.0

package import Telemetry

/// The keys of the `fault_inject` adapter, which lets loads of another adapter fail.
///
/// Source: storage reference §4.9.
package struct FaultInjectionConfiguration: Sendable {
    /// The other adapter's own object.
    package let inner: JSONValue
    package let plan: FaultPlan

    /// Most places of each list.
    private static let gapLimit = 10_000

    /// - Throws: Names the key, what was given and what is accepted.
    package init(_ configuration: L2AdapterConfiguration) throws(L2ConfigurationError) {
        var options = configuration.options
        guard let inner = options.value("inner") else {
            throw L2ConfigurationError("\(options.context): 'inner' is missing; accepted is another adapter's object")
        }
        var plan = FaultPlan()
        plan.rate = try options.number("rate", in: 0...1) ?? 0
        plan.seed = UInt64(bitPattern: Int64(try options.integer("seed", in: Int.min...Int.max) ?? 0))
        for value in try Self.list("gap_indices", &options) {
            guard case .integer(let place) = value, place >= 0 else {
                throw options.refusal("gap_indices", value, "a list of whole numbers from 0 on")
            }
            plan.gapIndices.append(place)
        }
        for value in try Self.list("gap_tail_ratios", &options) {
            switch value {
            case .integer(let ratio) where 0...1 ~= ratio: plan.gapTailRatios.append(Double(ratio))
            case .double(let ratio) where 0...1 ~= ratio: plan.gapTailRatios.append(ratio)
            default: throw options.refusal("gap_tail_ratios", value, "a list of numbers from 0 to 1")
            }
        }
        try options.finish()
        self.inner = inner
        self.plan = plan
    }

    private static func list(_ name: String, _ options: inout L2Options) throws(L2ConfigurationError) -> [JSONValue] {
        guard let value = options.value(name) else { return [] }
        guard case .array(let values) = value, values.count <= Self.gapLimit else {
            throw options.refusal(name, value, "a list")
        }
        return values
    }
}
