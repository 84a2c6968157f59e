// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import Telemetry

/// `/cache/objects`.
enum CacheObjectRoutes {
    private static let maximumKeys = 10_000
    private static let noAdapters = "no L2 adapters configured"

    private struct DeletionFields {
        let keys: [JSONValue]
        let tier: CacheTier
        let force: Bool
        /// The `type` of the tier; nil for the first.
        let adapter: String?
    }

    static func add(to table: inout RouteTable, _ surroundings: AdminFront.Surroundings) {
        let operations = surroundings.operations
        table.add("GET", "/cache/objects") { request in await Self.list(request, operations) }
        table.add("DELETE", "/cache/objects", readsBody: true) { request in
            await request.withBody(isRequired: true) { reader in
                DeletionFields(
                    keys: reader.array("keys", isRequired: true) ?? [],
                    tier: reader.tier("tier", default: .l2),
                    force: reader.bool("force", default: false),
                    adapter: reader.optionalString("adapter")
                )
            } answer: { fields in
                await Self.delete(fields, operations)
            }
        }
    }

    private static func list(_ request: AdminRequest, _ operations: any AdminOperations) async -> AdminResponse {
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
        switch Self.tier(request.query("adapter"), operations.tiers) {
        case .failure(let error): return .refusal(error)
        case .success(let tier):
            let page = AdminPageRequest(
                modelName: request.query("model_name"), size: request.query("page_size").flatMap { Int($0) } ?? 500,
                token: request.query("page_token"))
            return await Self.page(of: tier, page, operations.tiers)
        }
    }

    private static func page(
        of tier: AdminTier, _ request: AdminPageRequest, _ tiers: any AdminTiers
    ) async -> AdminResponse {
        switch await tiers.list(tier.id, request) {
        case .failure(let error): .refusal(error)
        case .success(let page):
            .json([
                "adapter": .string(tier.type), "shared": .bool(tier.isShared),
                "entries": .array(page.keys.map { ObjectKeySchema.json($0) }),
                "next_page_token": page.next.map { .string($0) } ?? .null,
            ])
        }
    }

    /// The first tier of a `type`, or the first of all.
    private static func tier(_ type: String?, _ tiers: any AdminTiers) -> Result<AdminTier, AdminError> {
        let all = tiers.all()
        guard let first = all.first else { return .failure(AdminError(status: 503, detail: Self.noAdapters)) }
        guard let type else { return .success(first) }
        guard let named = all.first(where: { $0.type == type }) else {
            return .failure(AdminError(status: 404, detail: "no L2 adapter with type_name='\(type)'"))
        }
        return .success(named)
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

    private static func delete(
        _ fields: DeletionFields, _ operations: any AdminOperations
    ) async -> AdminResponse {
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
        var tier: AdminTier?
        if fields.tier != .l1 {
            switch Self.tier(fields.adapter, operations.tiers) {
            case .failure(let error): return .refusal(error)
            case .success(let found): tier = found
            }
        }
        return await Self.delete(
            fields.keys.compactMap { ObjectKeySchema.key($0) }, fields, tier: tier, operations.tiers)
    }

    private static func delete(
        _ keys: [ObjectKey], _ fields: DeletionFields, tier: AdminTier?, _ tiers: any AdminTiers
    ) async -> AdminResponse {
        var (deleted, skipped) = (0, 0)
        if fields.tier != .l2 {
            let removal = tiers.deleteFromPool(keys, force: fields.force)
            (deleted, skipped) = (removal.deleted, removal.inUse)
        }
        var error: String?
        if let tier {
            let deletion = await tiers.delete(keys, tier: tier.id)
            deleted += deletion.deleted
            error = deletion.error
        }
        var members: [(String, JSONValue)] = [
            ("deleted", .integer(deleted)), ("skipped", .integer(skipped)), ("ok", .bool(error == nil)),
        ]
        if let error { members.append(("error", .string(error))) }
        return .json(.object(members))
    }
}
