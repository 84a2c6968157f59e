// lmcache · SPDX-License-Identifier: Apache-2.0

import Logging
import Telemetry

/// Everything that answers requests, apart from sockets: from a request's parts to a response.
struct AdminFront: Sendable {
    /// What the routes answer from.
    struct Surroundings: Sendable {
        let operations: any AdminOperations
        let registry: MetricsRegistry
        let levels: LogLevels
        let version: String
        let compatibleWith: String
        let commit: String
        let logger: Logger
    }

    /// Why a body could not be had.
    enum BodyFailure: Error {
        case tooLarge
    }

    private let table: RouteTable

    init(_ surroundings: Surroundings) {
        var table = RouteTable()
        LivenessRoutes.add(to: &table, surroundings)
        ConfigurationRoutes.add(to: &table, surroundings)
        DiagnosticRoutes.add(to: &table, surroundings)
        CacheRoutes.add(to: &table, surroundings)
        CacheObjectRoutes.add(to: &table, surroundings)
        PrefetchRoutes.add(to: &table, surroundings)
        QuotaRoutes.add(to: &table, surroundings, QuotaTable())
        ReconfigureRoutes.add(to: &table, surroundings)
        self.table = table
    }

    /// Answers one request.
    ///
    /// `body` is called at most once, and only for routes that read one.
    func respond(
        method: String,
        target: String,
        body: () async throws -> [UInt8]
    ) async throws -> AdminResponse {
        var request = AdminRequest(method: method, target: target)
        switch self.table.match(method: method, path: request.path) {
        case .handler(let handler, let parameters, let readsBody):
            request.parameters = parameters
            if readsBody {
                do {
                    request.body = try await body()
                } catch BodyFailure.tooLarge {
                    return .detail(413, "Request Entity Too Large")
                }
            }
            return await handler(request)
        case .wrongMethod(let allowed):
            var response = AdminResponse.detail(405, "Method Not Allowed")
            response.headers["Allow"] = allowed.sorted().joined(separator: ", ")
            return response
        case .trailingSlash:
            return .redirect(to: Self.withoutTrailingSlash(target))
        case .unknown:
            return .detail(404, "Not Found")
        }
    }

    private static func withoutTrailingSlash(_ target: String) -> String {
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        var path = String(parts.first ?? "/")
        if path.hasSuffix("/") { path.removeLast() } else if path.lowercased().hasSuffix("%2f") { path.removeLast(3) }
        return parts.count > 1 ? "\(path)?\(parts[1])" : path
    }
}
