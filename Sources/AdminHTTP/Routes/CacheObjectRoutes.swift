// lmcache · SPDX-License-Identifier: Apache-2.0

import Telemetry

/// `/cache/objects`, as a server without L2 answers.
enum CacheObjectRoutes {
    private static let maximumKeys = 10_000
    private static let noAdapters = "no L2 adapters configured"

    private struct DeletionFields {
        let keys: [JSONValue]
        let tier: CacheTier
    }

    static func add(to table: inout RouteTable, _ surroundings: AdminFront.Surroundings) {
        let operations = surroundings.operations
        table.add("GET", "/cache/objects") { request in Self.list(request, operations) }
        table.add("DELETE", "/cache/objects", readsBody: true) { request in
            await request.withBody(isRequired: true) { reader in
                let keys = reader.array("keys", isRequired: true) ?? []
                let fields = DeletionFields(keys: keys, tier: reader.tier("tier", default: .l2))
                _ = reader.bool("force", default: false)
                return fields
            } answer: { fields in
                Self.delete(fields, operations)
            }
        }
    }

    private static func list(_ request: AdminRequest, _ operations: any AdminOperations) -> AdminResponse {
        var violations: [SchemaViolation] = []
        var tier = CacheTier.l2
        if let word = request.query("tier") {
            if let known = CacheTier(rawValue: word) {
                tier = known
            } else {
                violations.append(SchemaReader.tierViolation(["query", "tier"], .string(word)))
            }
        }
        if let word = request.query("page_size"), let violation = Self.pageSizeViolation(word) {
            violations.append(violation)
        }
        guard violations.isEmpty else { return .violations(violations) }
        guard operations.isReady else { return .detail(503, "server not initialized") }
        guard tier == .l2 else { return .detail(400, "tier '\(tier.rawValue)' not supported; only 'l2'") }
        return .detail(503, Self.noAdapters)
    }

    private static func pageSizeViolation(_ word: String) -> SchemaViolation? {
        let location: [JSONValue] = ["query", "page_size"]
        guard let size = Int(word) else {
            return SchemaViolation(
                type: "int_parsing",
                location: location,
                message: "Input should be a valid integer, unable to parse string as an integer",
                input: .string(word)
            )
        }
        if size < 1 {
            return SchemaViolation(
                type: "greater_than_equal",
                location: location,
                message: "Input should be greater than or equal to 1",
                input: .string(word),
                context: ["ge": 1]
            )
        }
        if size > 5000 {
            return SchemaViolation(
                type: "less_than_equal",
                location: location,
                message: "Input should be less than or equal to 5000",
                input: .string(word),
                context: ["le": 5000]
            )
        }
        return nil
    }

    private static func delete(_ fields: DeletionFields, _ operations: any AdminOperations) -> AdminResponse {
        guard operations.isReady else { return .detail(503, "server not initialized") }
        guard fields.keys.count <= Self.maximumKeys else {
            let given = fields.keys.count
            return .detail(400, "too many keys in a single request (limit=\(Self.maximumKeys), got=\(given))")
        }
        let violations = fields.keys.enumerated().flatMap { ObjectKeySchema.violations($1, position: $0) }
        guard violations.isEmpty else { return .violations(violations) }
        for (position, key) in fields.keys.enumerated() {
            if let flaw = ObjectKeySchema.flaw(key) { return .detail(400, "keys[\(position)]: \(flaw)") }
        }
        if fields.tier == .l1 {
            return .detail(501, "single objects cannot be deleted from L1 yet; POST /cache/clear clears all of L1")
        }
        return .detail(503, Self.noAdapters)
    }
}
