// lmcache · SPDX-License-Identifier: Apache-2.0

import Telemetry

/// `/reconfigure`: second tiers come and go while the server runs; nothing here is Device-DAX backed.
enum ReconfigureRoutes {
    private static let daxOperations = ["add", "remove", "resize"]

    static func add(to table: inout RouteTable, _ surroundings: AdminFront.Surroundings) {
        let operations = surroundings.operations
        table.add("GET", "/reconfigure/{backend}/l2/status") { request in
            guard operations.isReady else { return .error(503, "engine not initialized") }
            let backend = Self.normalized(request.parameters["backend"])
            guard !backend.isEmpty else { return .error(400, "backend must be non-empty") }
            return Self.status(backend, operations.tiers)
        }
        table.add("POST", "/reconfigure/{backend}/l2/{operation}", readsBody: true) { request in
            await request.withBody(isRequired: true) { reader in
                reader.integer("adapter_index", default: 0)
            } answer: { index in
                await Self.reconfigure(request, index: index, operations)
            }
        }
        for (method, operation) in [("GET", "status"), ("POST", "add"), ("POST", "remove")] {
            table.add(method, "/reconfigure/dax/l1/\(operation)") { _ in
                guard operations.isReady else { return .error(503, "engine not initialized") }
                return .error(409, "L1 is not Device-DAX backed (--l1-devdax-path not set)")
            }
        }
    }

    private static func status(_ backend: String, _ tiers: any AdminTiers) -> AdminResponse {
        let own = tiers.all().filter { $0.type == backend }
        return .json([
            "enabled": .bool(!own.isEmpty), "backend": .string(backend), "num_adapters": .integer(own.count),
            "adapters": .array(own.enumerated().map { Self.json($1, index: $0) }),
        ])
    }

    /// `adapter_index` counts within the tier's own type.
    private static func json(_ tier: AdminTier, index: Int) -> JSONValue {
        [
            "adapter_index": .integer(index), "type_name": .string(tier.type), "shared": .bool(tier.isShared),
            "status": tier.details,
        ]
    }

    private static func reconfigure(
        _ request: AdminRequest, index: Int, _ operations: any AdminOperations
    ) async -> AdminResponse {
        guard operations.isReady else { return .error(503, "engine not initialized") }
        let backend = Self.normalized(request.parameters["backend"])
        let operation = Self.normalized(request.parameters["operation"])
        guard !backend.isEmpty else { return .error(400, "backend must be non-empty") }
        guard !operation.isEmpty else { return .error(400, "operation must be non-empty") }
        if backend == "dax" {
            guard Self.daxOperations.contains(operation) else {
                return .error(400, "unsupported dax reconfigure operation: \(operation)")
            }
            return .error(404, "dax adapter not found")
        }
        switch operation {
        case "add": return await Self.add(request, backend, operations.tiers)
        case "remove": return await Self.remove(backend, index, operations.tiers)
        default:
            guard operations.tiers.all().contains(where: { $0.type == backend }) else {
                return .error(404, "\(backend) adapter not found")
            }
            return .error(400, "unsupported \(backend) reconfigure operation: \(operation); accepted: add, remove")
        }
    }

    /// The body is the adapter's object as `--l2-adapter` takes it; its `type` may be left to the path.
    private static func add(
        _ request: AdminRequest, _ backend: String, _ tiers: any AdminTiers
    ) async -> AdminResponse {
        guard case .object(var members)? = try? JSONParser.parse(request.body) else {
            return .error(400, "the body must be the JSON object of one adapter")
        }
        members.removeAll { $0.0 == "adapter_index" }
        if let type = members.last(where: { $0.0 == "type" })?.1 {
            guard type == .string(backend) else {
                return .error(400, "type is \(type.serialized()), the path says '\(backend)'")
            }
        } else {
            members.insert(("type", .string(backend)), at: 0)
        }
        switch await tiers.add(.object(members)) {
        case .failure(let error): return .error(error.status, error.detail)
        case .success(let id):
            let own = tiers.all().filter { $0.type == backend }
            guard let index = own.firstIndex(where: { $0.id == id }) else {
                return .error(409, "the adapter was removed meanwhile")
            }
            return .json(["added": Self.json(own[index], index: index)])
        }
    }

    private static func remove(_ backend: String, _ index: Int, _ tiers: any AdminTiers) async -> AdminResponse {
        let own = tiers.all().filter { $0.type == backend }
        guard own.indices.contains(index) else { return .error(404, "\(backend) adapter not found") }
        let isDrained = await tiers.remove(own[index].id)
        return .json(["removed": Self.json(own[index], index: index), "drained": .bool(isDrained)])
    }

    private static func normalized(_ name: String?) -> String {
        let words = (name ?? "").lowercased().split(whereSeparator: \.isWhitespace)
        return words.joined(separator: " ")
    }
}
