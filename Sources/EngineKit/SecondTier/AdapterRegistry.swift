// lmcache · SPDX-License-Identifier: Apache-2.0

import L2FileSystem
import L2RESP
import L2S3
package import L2Storage
package import Telemetry

/// Every adapter that this server has. The only place that knows them.
package enum AdapterRegistry {
    /// A further adapter is one entry more.
    private static let kinds: [AdapterKind] =
        FileSystemAdapter.types.map { AdapterKind(type: $0, plan: Self.fileSystem) }
        + RESPAdapter.types.map { AdapterKind(type: $0, plan: Self.redis) } + [
            AdapterKind(type: S3Configuration.type, plan: Self.s3),
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

    private static func redis(_ configuration: L2AdapterConfiguration) throws(L2ConfigurationError) -> AdapterPlan {
        let settings = try RESPConfiguration(
            configuration, environment: ProcessVariables.named(RESPAdapter.variables))
        return AdapterPlan(configuration: configuration) { (around) throws(AdapterStartError) in
            RESPAdapter.start(settings, clock: around.clock, log: around.log)
        }
    }

    private static func s3(_ configuration: L2AdapterConfiguration) throws(L2ConfigurationError) -> AdapterPlan {
        let settings = try S3Configuration(configuration)
        return AdapterPlan(configuration: configuration) { (around) throws(AdapterStartError) in
            do throws(L2ConfigurationError) {
                return try S3Adapter.start(
                    settings, environment: ProcessVariables.named(S3Adapter.variables), clock: around.clock,
                    log: around.log)
            } catch {
                throw AdapterStartError(error.description)
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
        let settings = try FaultInjectionConfiguration(configuration)
        let plan = try self.plan(settings.inner)
        let chosen = settings.plan
        return AdapterPlan(configuration: configuration) { (around) throws(AdapterStartError) in
            FaultInjectingL2Adapter(try plan.start(around), plan: chosen)
        }
    }
}
