// lmcache · SPDX-License-Identifier: Apache-2.0

import L2FileSystem
package import L2Storage
package import Telemetry

/// Every adapter that this server has. The only place that knows them.
package enum AdapterRegistry {
    /// A further adapter is one entry more.
    private static let kinds: [AdapterKind] =
        FileSystemAdapter.types.map { AdapterKind(type: $0, plan: Self.fileSystem) } + [
            AdapterKind(type: "mock", plan: Self.memory),
            AdapterKind(type: "fault_inject", plan: Self.faultInjecting),
        ]

    /// Accepted values of `type`.
    package static var types: [String] { self.kinds.map(\.type) }

    /// Checks the JSON object of one adapter.
    package static func plan(_ value: JSONValue) throws(L2ConfigurationError) -> AdapterPlan {
        let configuration = try L2AdapterConfiguration(value, types: self.types)
        guard configuration.affinityTag == "_default" else {
            throw L2ConfigurationError(
                """
                \(configuration.options.context): 'affinity_tag' is '\(configuration.affinityTag)', accepted is \
                '_default': there is one pool
                """)
        }
        guard let kind = self.kinds.first(where: { $0.type == configuration.type }) else {
            throw L2ConfigurationError("--l2-adapter: type '\(configuration.type)' is unknown")
        }
        return try kind.plan(configuration)
    }

    private static func fileSystem(
        _ configuration: L2AdapterConfiguration
    ) throws(L2ConfigurationError) -> AdapterPlan {
        let settings = try FileSystemConfiguration(configuration)
        return AdapterPlan(configuration: configuration) { (around) throws(AdapterStartError) in
            var settings = settings
            settings.alignment = around.alignment
            do {
                return try FileSystemAdapter.start(settings, clock: around.clock)
            } catch {
                throw AdapterStartError("\(settings.basePath): \(error)")
            }
        }
    }

    private static func memory(_ configuration: L2AdapterConfiguration) throws(L2ConfigurationError) -> AdapterPlan {
        let settings = try MemoryConfiguration(configuration)
        return AdapterPlan(configuration: configuration) { (around) throws(AdapterStartError) in
            ThreadedL2Adapter(
                kind: "mock", medium: MemoryMedium(capacityBytes: settings.capacityBytes), limits: L2Limits(),
                clock: around.clock)
        }
    }

    private static func faultInjecting(
        _ configuration: L2AdapterConfiguration
    ) throws(L2ConfigurationError) -> AdapterPlan {
        var options = configuration.options
        guard let inner = options.value("inner") else {
            throw L2ConfigurationError("\(options.context): 'inner' is missing; accepted is another adapter's object")
        }
        var faults = FaultPlan()
        faults.rate = try options.number("rate", in: 0...1) ?? 0
        faults.seed = UInt64(try options.integer("seed", in: 0...Int.max) ?? 0)
        try options.finish()
        let plan = try self.plan(inner)
        let chosen = faults
        return AdapterPlan(configuration: configuration) { (around) throws(AdapterStartError) in
            FaultInjectingL2Adapter(try plan.start(around), plan: chosen)
        }
    }
}
