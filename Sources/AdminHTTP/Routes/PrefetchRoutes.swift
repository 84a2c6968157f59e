// lmcache · SPDX-License-Identifier: Apache-2.0

import Telemetry

/// `/cache/prefetches`: brings a prompt's objects from the second tier into the pool, where they stay.
enum PrefetchRoutes {
    private static let maximumTokens = 1_000_000

    private struct Fields {
        let modelName: String
        let worldSize: Int
        let tokens: [Int]
        let salt: String
        let source: CacheTier
        let target: CacheTier
    }

    static func add(to table: inout RouteTable, _ surroundings: AdminFront.Surroundings) {
        let operations = surroundings.operations
        table.add("POST", "/cache/prefetches", readsBody: true) { request in
            await request.withBody(isRequired: true) { reader in
                Fields(
                    modelName: reader.string("model_name", default: nil),
                    worldSize: reader.integer("world_size", default: nil),
                    tokens: reader.integers("token_ids", isRequired: true),
                    salt: reader.string("cache_salt", default: ""),
                    source: reader.tier("source_tier", default: .l2),
                    target: reader.tier("target_tier", default: .l1)
                )
            } answer: { fields in
                Self.submit(fields, operations)
            }
        }
        table.add("GET", "/cache/prefetches/{request_id}") { request in
            guard operations.isReady else { return .detail(503, "server not initialized") }
            return Self.state(request.parameters["request_id"] ?? "", operations.tiers)
        }
    }

    private static func submit(_ fields: Fields, _ operations: any AdminOperations) -> AdminResponse {
        guard operations.isReady else { return .detail(503, "server not initialized") }
        guard fields.source == .l2, fields.target == .l1 else {
            let given = "'\(fields.source.rawValue)'->'\(fields.target.rawValue)'"
            return .detail(400, "unsupported prefetch direction \(given); only 'l2'->'l1'")
        }
        guard fields.tokens.count <= Self.maximumTokens else {
            return .detail(400, "too many token_ids (limit=\(Self.maximumTokens), got=\(fields.tokens.count))")
        }
        if let flaw = SaltSchema.flaw(fields.salt) { return .detail(400, flaw) }
        guard !operations.tiers.all().isEmpty else { return .detail(503, "no L2 adapters configured") }
        var tokens: [UInt32] = []
        tokens.reserveCapacity(fields.tokens.count)
        for (position, token) in fields.tokens.enumerated() {
            guard let token = UInt32(exactly: token) else {
                return .detail(400, "token_ids[\(position)] is \(token), accepted is 0 to \(UInt32.max)")
            }
            tokens.append(token)
        }
        return Self.submit(
            AdminPrompt(
                modelName: fields.modelName, worldSize: fields.worldSize, tokens: tokens, cacheSalt: fields.salt),
            operations.tiers)
    }

    private static func submit(_ prompt: AdminPrompt, _ tiers: any AdminTiers) -> AdminResponse {
        switch tiers.warm(prompt) {
        case .failure(let error): return .refusal(error)
        case .success(let warming):
            guard let id = warming.id else { return .json(["chunks": 0, "status": "noop"], status: 202) }
            return .json(
                ["request_id": .string(id), "chunks": .integer(warming.chunks), "status": "submitted"], status: 202)
        }
    }

    private static func state(_ id: String, _ tiers: any AdminTiers) -> AdminResponse {
        switch tiers.warming(id) {
        case .unknown:
            .detail(404, "unknown prefetch request_id='\(id)' (already completed or never submitted)")
        case .pending: .json(["request_id": .string(id), "status": "pending"])
        case .completed(let found, let total):
            .json([
                "request_id": .string(id), "status": "completed", "found_keys": .integer(found),
                "total_keys": .integer(total),
            ])
        }
    }
}
