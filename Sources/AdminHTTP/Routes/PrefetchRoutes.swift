// lmcache · SPDX-License-Identifier: Apache-2.0

import Telemetry

/// `/cache/prefetches`, as a server without L2 answers.
enum PrefetchRoutes {
    private static let maximumTokens = 1_000_000

    private struct Fields {
        let tokenCount: Int
        let salt: String
        let source: CacheTier
        let target: CacheTier
    }

    static func add(to table: inout RouteTable, _ surroundings: AdminFront.Surroundings) {
        let operations = surroundings.operations
        table.add("POST", "/cache/prefetches", readsBody: true) { request in
            await request.withBody(isRequired: true) { reader in
                _ = reader.string("model_name", default: nil)
                _ = reader.integer("world_size", default: nil)
                return Fields(
                    tokenCount: reader.integers("token_ids", isRequired: true).count,
                    salt: reader.string("cache_salt", default: ""),
                    source: reader.tier("source_tier", default: .l2),
                    target: reader.tier("target_tier", default: .l1)
                )
            } answer: { fields in
                Self.submit(fields, operations)
            }
        }
        table.add("GET", "/cache/prefetches/{request_id}") { request in
            let id = request.parameters["request_id"] ?? ""
            return .detail(404, "unknown prefetch request_id='\(id)' (already completed or never submitted)")
        }
    }

    private static func submit(_ fields: Fields, _ operations: any AdminOperations) -> AdminResponse {
        guard operations.isReady else { return .detail(503, "server not initialized") }
        guard fields.source == .l2, fields.target == .l1 else {
            let given = "'\(fields.source.rawValue)'->'\(fields.target.rawValue)'"
            return .detail(400, "unsupported prefetch direction \(given); only 'l2'->'l1'")
        }
        guard fields.tokenCount <= Self.maximumTokens else {
            return .detail(400, "too many token_ids (limit=\(Self.maximumTokens), got=\(fields.tokenCount))")
        }
        if let flaw = SaltSchema.flaw(fields.salt) { return .detail(400, flaw) }
        return .detail(503, "no L2 adapters configured")
    }
}
