// lmcache · SPDX-License-Identifier: Apache-2.0

import Telemetry

/// `/reconfigure`, as a server without reconfigurable storage answers.
enum ReconfigureRoutes {
    private static let daxOperations = ["add", "remove", "resize"]

    static func add(to table: inout RouteTable, _ surroundings: AdminFront.Surroundings) {
        let operations = surroundings.operations
        table.add("GET", "/reconfigure/{backend}/l2/status") { request in
            guard operations.isReady else { return .error(503, "engine not initialized") }
            let backend = Self.normalized(request.parameters["backend"])
            guard !backend.isEmpty else { return .error(400, "backend must be non-empty") }
            return .json(["enabled": false, "backend": .string(backend), "num_adapters": 0, "adapters": []])
        }
        table.add("POST", "/reconfigure/{backend}/l2/{operation}", readsBody: true) { request in
            await request.withBody(isRequired: true) { reader in
                _ = reader.integer("adapter_index", default: 0)
            } answer: { _ in
                Self.reconfigure(request, operations)
            }
        }
        for (method, operation) in [("GET", "status"), ("POST", "add"), ("POST", "remove")] {
            table.add(method, "/reconfigure/dax/l1/\(operation)") { _ in
                guard operations.isReady else { return .error(503, "engine not initialized") }
                return .error(409, "L1 is not Device-DAX backed (--l1-devdax-path not set)")
            }
        }
    }

    private static func reconfigure(_ request: AdminRequest, _ operations: any AdminOperations) -> AdminResponse {
        guard operations.isReady else { return .error(503, "engine not initialized") }
        let backend = Self.normalized(request.parameters["backend"])
        let operation = Self.normalized(request.parameters["operation"])
        guard !backend.isEmpty else { return .error(400, "backend must be non-empty") }
        guard !operation.isEmpty else { return .error(400, "operation must be non-empty") }
        if backend == "dax", !Self.daxOperations.contains(operation) {
            return .error(400, "unsupported dax reconfigure operation: \(operation)")
        }
        return .error(404, "\(backend) adapter not found")
    }

    private static func normalized(_ name: String?) -> String {
        let words = (name ?? "").lowercased().split(whereSeparator: \.isWhitespace)
        return words.joined(separator: " ")
    }
}
