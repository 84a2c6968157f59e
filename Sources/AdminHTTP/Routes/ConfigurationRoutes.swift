// lmcache · SPDX-License-Identifier: Apache-2.0

import Telemetry

/// `/config` and `/config/adapters`.
enum ConfigurationRoutes {
    static func add(to table: inout RouteTable, _ surroundings: AdminFront.Surroundings) {
        let operations = surroundings.operations
        table.add("GET", "/config") { _ in
            guard operations.isReady else { return .error(503, "configs not initialized") }
            return .json(operations.configuration(), indent: 2)
        }
        table.add("GET", "/config/adapters") { _ in
            guard operations.isReady else { return .detail(503, "server not initialized") }
            return .json([
                "adapters": .array(
                    operations.tiers.all().enumerated().map { index, tier in
                        [
                            "index": .integer(index), "type_name": .string(tier.type), "tier": "l2",
                            "primary": .bool(index == 0), "reconfigurable": true,
                        ]
                    })
            ])
        }
    }
}
