// lmcache · SPDX-License-Identifier: Apache-2.0

import Telemetry

/// One HTTP response, before it is written.
struct AdminResponse: Sendable, Equatable {
    var status: Int
    var contentType: String
    var body: String
    /// Headers beside the content's type and length.
    var headers: [String: String] = [:]

    static func json(_ value: JSONValue, status: Int = 200, indent: Int? = nil) -> AdminResponse {
        AdminResponse(status: status, contentType: "application/json", body: value.serialized(indent: indent))
    }

    static func text(_ body: String, status: Int = 200) -> AdminResponse {
        AdminResponse(status: status, contentType: "text/plain; charset=utf-8", body: body)
    }

    /// `{"detail": "<text>"}`.
    static func detail(_ status: Int, _ text: String) -> AdminResponse {
        .json(["detail": .string(text)], status: status)
    }

    /// `{"error": "<text>"}`.
    static func error(_ status: Int, _ text: String) -> AdminResponse {
        .json(["error": .string(text)], status: status)
    }

    /// `{"detail": [violation, …]}` with 422.
    static func violations(_ violations: [SchemaViolation]) -> AdminResponse {
        .json(["detail": .array(violations.map(\.json))], status: 422)
    }

    static func refusal(_ error: AdminError) -> AdminResponse { .detail(error.status, error.detail) }

    static func redirect(to target: String) -> AdminResponse {
        AdminResponse(status: 307, contentType: "", body: "", headers: ["Location": target])
    }
}
