// lmcache · SPDX-License-Identifier: Apache-2.0

/// Finds what answers a path and method.
struct RouteTable: Sendable {
    typealias Handler = @Sendable (AdminRequest) async -> AdminResponse

    /// What a path and method lead to.
    enum Match: Sendable {
        case handler(Handler, parameters: [String: String], readsBody: Bool)
        /// The path exists, with these methods.
        case wrongMethod(allowed: [String])
        /// The path exists without its last slash.
        case trailingSlash
        case unknown
    }

    private struct Route: Sendable {
        let method: String
        /// Literal parts, or `{name}` for a part that is handed to the handler.
        let parts: [Substring]
        let readsBody: Bool
        let handler: Handler
    }

    private var routes: [Route] = []

    /// Adds a route; of two that fit, the one added first answers.
    mutating func add(_ method: String, _ path: String, readsBody: Bool = false, _ handler: @escaping Handler) {
        self.routes.append(Route(method: method, parts: Self.parts(path), readsBody: readsBody, handler: handler))
    }

    /// Takes a decoded path.
    func match(method: String, path: String) -> Match {
        let parts = Self.parts(path)
        var allowed: [String] = []
        for route in self.routes {
            guard let parameters = Self.parameters(of: parts, in: route) else { continue }
            if route.method == method {
                return .handler(route.handler, parameters: parameters, readsBody: route.readsBody)
            }
            allowed.append(route.method)
        }
        if !allowed.isEmpty { return .wrongMethod(allowed: allowed) }
        if parts.count > 1, parts.last == "", self.contains(Array(parts.dropLast())) { return .trailingSlash }
        return .unknown
    }

    private func contains(_ parts: [Substring]) -> Bool {
        self.routes.contains { Self.parameters(of: parts, in: $0) != nil }
    }

    private static func parts(_ path: String) -> [Substring] {
        path.split(separator: "/", omittingEmptySubsequences: false).dropFirst().map { $0 }
    }

    private static func parameters(of parts: [Substring], in route: Route) -> [String: String]? {
        guard parts.count == route.parts.count else { return nil }
        var parameters: [String: String] = [:]
        for (part, pattern) in zip(parts, route.parts) {
            if pattern.hasPrefix("{"), pattern.hasSuffix("}") {
                guard !part.isEmpty else { return nil }
                parameters[String(pattern.dropFirst().dropLast())] = String(part)
            } else if part != pattern {
                return nil
            }
        }
        return parameters
    }
}
