// lmcache · SPDX-License-Identifier: Apache-2.0

import Telemetry

/// `/quota`: limits that tiers with `IsolatedLRU` keep to, in memory only; a salt without one has none.
enum QuotaRoutes {
    /// Stands for the empty salt in paths and lists.
    private static let emptySaltName = "_default"

    static func add(to table: inout RouteTable, _ surroundings: AdminFront.Surroundings, _ quotas: QuotaTable) {
        let operations = surroundings.operations
        func route(
            _ method: String,
            _ path: String,
            readsBody: Bool = false,
            _ answer: @escaping @Sendable (AdminRequest) -> AdminResponse
        ) {
            table.add(method, path, readsBody: readsBody) { request in
                operations.isReady ? answer(request) : .error(503, "engine not initialized")
            }
        }
        route("GET", "/quota") { _ in Self.list(quotas, operations.tiers.usageBySalt()) }
        route("GET", "/quota/{cache_salt}") { request in
            let name = Self.name(request)
            let limit = quotas.limit(of: Self.salt(name))
            let usage = Self.gibibytes(operations.tiers.usageBySalt()[Self.salt(name)])
            return .json([
                "cache_salt": .string(name), "limit_gb": .double(limit ?? 0), "current_usage_gb": .double(usage),
                "exists": .bool(limit != nil),
            ])
        }
        route("PUT", "/quota/{cache_salt}", readsBody: true) { request in Self.put(request, quotas, operations.tiers) }
        route("DELETE", "/quota/{cache_salt}") { request in
            let name = Self.name(request)
            let wasThere = quotas.remove(Self.salt(name))
            operations.tiers.setQuota(nil, salt: Self.salt(name))
            return .json(["cache_salt": .string(name), "status": wasThere ? "removed" : "not_found"])
        }
    }

    private static func name(_ request: AdminRequest) -> String { request.parameters["cache_salt"] ?? "" }

    private static func salt(_ name: String) -> String { name == Self.emptySaltName ? "" : name }

    private static func list(_ quotas: QuotaTable, _ usage: [String: Int]) -> AdminResponse {
        let users: [(String, JSONValue)] = quotas.all().map { salt, gibibytes in
            let user: JSONValue = [
                "limit_gb": .double(gibibytes), "current_usage_gb": .double(Self.gibibytes(usage[salt])),
            ]
            return (salt.isEmpty ? Self.emptySaltName : salt, user)
        }
        return .json(["users": .object(users)])
    }

    private static func gibibytes(_ bytes: Int?) -> Double { Double(bytes ?? 0) / 1_073_741_824 }

    private static func put(
        _ request: AdminRequest, _ quotas: QuotaTable, _ tiers: any AdminTiers
    ) -> AdminResponse {
        guard let body = try? JSONParser.parse(request.body) else { return .error(400, "invalid JSON body") }
        guard let value = body["limit_gb"] else { return .error(400, "body must be {'limit_gb': <float>}") }
        guard let limit = Self.number(value) else { return .error(400, "limit_gb must be numeric") }
        guard limit.isFinite else { return .error(400, "limit_gb must be finite") }
        guard limit >= 0 else { return .error(400, "limit_gb must be non-negative") }
        let name = Self.name(request)
        if let flaw = SaltSchema.flaw(Self.salt(name)) { return .error(400, flaw) }
        guard quotas.set(limit, for: Self.salt(name)) else {
            return .error(400, "at most \(QuotaTable.maximumSalts) quotas are kept")
        }
        tiers.setQuota(Int(min(limit * 1_073_741_824, 1e18)), salt: Self.salt(name))
        return .json(["cache_salt": .string(name), "limit_gb": .double(limit), "status": "ok"])
    }

    private static func number(_ value: JSONValue) -> Double? {
        switch value {
        case .integer(let integer): Double(integer)
        case .double(let double): double
        case .bool(let bool): bool ? 1 : 0
        case .string(let text): Double(text)
        case .array, .object, .null: nil
        }
    }
}
