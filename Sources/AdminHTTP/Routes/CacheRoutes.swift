// lmcache · SPDX-License-Identifier: Apache-2.0

import Logging
import Telemetry

/// `/cache/clear` and `/cache/checksums`.
enum CacheRoutes {
    private struct ChecksumFields {
        let blockIDs: [Int]
        let blocksPerChunk: Int
        let instance: Int
        let layerwise: Bool
    }

    static func add(to table: inout RouteTable, _ surroundings: AdminFront.Surroundings) {
        let operations = surroundings.operations
        table.add("POST", "/cache/clear", readsBody: true) { request in
            await Self.clear(request, operations, surroundings.logger)
        }
        table.add("POST", "/cache/checksums", readsBody: true) { request in
            await request.withBody(isRequired: true) { reader in
                ChecksumFields(
                    blockIDs: reader.integers("block_ids", isRequired: false),
                    blocksPerChunk: reader.integer("chunk_size", default: 0),
                    instance: reader.integer("instance_id", default: 0),
                    layerwise: reader.bool("layerwise", default: false)
                )
            } answer: { fields in
                await Self.checksums(fields, operations)
            }
        }
    }

    private static func clear(
        _ request: AdminRequest,
        _ operations: any AdminOperations,
        _ logger: Logger
    ) async -> AdminResponse {
        await request.withBody(isRequired: false) { reader in
            (tier: reader.tier("tier", default: .l1), force: reader.bool("force", default: false))
        } answer: { fields in
            guard fields.tier == .l1 else {
                return .detail(400, "tier '\(fields.tier.rawValue)' not supported; only 'l1'")
            }
            guard operations.isReady else { return .detail(503, "server not initialized") }
            operations.clear(force: fields.force)
            logger.info("Cache cleared via HTTP API")
            return .json(["status": "ok", "cleared": ["tier": "l1"]])
        }
    }

    private static func checksums(
        _ fields: ChecksumFields,
        _ operations: any AdminOperations
    ) async -> AdminResponse {
        guard operations.isReady else { return .detail(503, "server not initialized") }
        let instance = Int64(fields.instance)
        if let refusal = operations.checksumRefusal(instance: instance) { return .refusal(refusal) }
        guard !fields.blockIDs.isEmpty else { return .detail(400, "block_ids is required") }
        guard fields.blocksPerChunk > 0 else { return .detail(400, "chunk_size must be positive") }
        let result = await operations.checksums(
            instance: instance,
            blockIDs: fields.blockIDs,
            blocksPerChunk: fields.blocksPerChunk,
            layerwise: fields.layerwise
        )
        switch result {
        case .failure(let error): return .refusal(error)
        case .success(let checksums):
            let chunkCount = (fields.blockIDs.count - 1) / fields.blocksPerChunk + 1
            return .json([
                "status": "success", "chunk_size": .integer(fields.blocksPerChunk), "num_chunks": .integer(chunkCount),
                "chunk_checksums": checksums, "layerwise": .bool(fields.layerwise),
                "block_id_ranges": BlockRanges.json(fields.blockIDs),
            ])
        }
    }
}
