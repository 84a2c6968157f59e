// lmcache · SPDX-License-Identifier: Apache-2.0

internal import KVModel
internal import L2Storage

/// Lists keys with `SCAN`, server after server.
///
/// A cursor is `server:scan:skipped`: a scan's step may bring more keys than a page holds, and is then asked again for
/// the rest. As with every scan, a key that comes or goes meanwhile may be told, or not, or twice.
struct RESPListing {
    let servers: RESPServers
    let keyPrefix: String

    private struct Place {
        var server = 0
        var scan = "0"
        var skipped = 0

        var cursor: String { "\(self.server):\(self.scan):\(self.skipped)" }

        init() {}

        init?(_ cursor: String) {
            let parts = cursor.split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count == 3, let server = Int(parts[0]), server >= 0, UInt64(parts[1]) != nil,
                let skipped = Int(parts[2]), skipped >= 0
            else { return nil }
            self.server = server
            self.scan = String(parts[1])
            self.skipped = skipped
        }
    }

    func page(_ query: L2ListQuery) -> Result<L2Page, L2Failure> {
        let endpoints = self.servers.everyEndpoint(deadline: query.deadline)
        guard !endpoints.isEmpty else { return .failure(.unavailable) }
        var page = L2Page(keys: [], next: nil)
        // A cursor of another origin begins anew.
        var place = query.cursor.flatMap(Place.init) ?? Place()
        while place.server < endpoints.count, page.keys.count < query.limit {
            let command = RESPCommand([
                "SCAN", place.scan, "MATCH", self.pattern(query.modelName), "COUNT", String(min(query.limit, 10_000)),
            ])
            guard
                case .array(let parts) = self.servers.ask(
                    command, of: endpoints[place.server], deadline: query.deadline),
                parts.count == 2, case .bulk(let scan) = parts[0], case .array(let names) = parts[1]
            else { return .failure(.unavailable) }
            let keys = names.dropFirst(place.skipped).prefix(query.limit - page.keys.count)
            page.keys += keys.compactMap(self.key).filter { query.modelName == nil || $0.modelName == query.modelName }
            place.skipped += keys.count
            guard place.skipped >= names.count else { break }
            place.skipped = 0
            place.scan = String(decoding: scan, as: UTF8.self)
            guard UInt64(place.scan) != nil else { return .failure(.unavailable) }
            if place.scan == "0" { place.server += 1 }
        }
        page.next = place.server < endpoints.count ? place.cursor : nil
        return .success(page)
    }

    /// The keys of one step of a scan: as many as it brings, each perhaps twice.
    func step(_ cursor: String?, limit: Int, deadline: L2Instant) -> Result<L2Page, L2Failure> {
        let endpoints = self.servers.everyEndpoint(deadline: deadline)
        var place = cursor.flatMap(Place.init) ?? Place()
        guard place.server < endpoints.count else { return .failure(.unavailable) }
        let command = RESPCommand(["SCAN", place.scan, "MATCH", self.pattern(nil), "COUNT", String(limit)])
        guard
            case .array(let parts) = self.servers.ask(command, of: endpoints[place.server], deadline: deadline),
            parts.count == 2, case .bulk(let scan) = parts[0], case .array(let names) = parts[1]
        else { return .failure(.unavailable) }
        place.scan = String(decoding: scan, as: UTF8.self)
        guard UInt64(place.scan) != nil else { return .failure(.unavailable) }
        if place.scan == "0" { place.server += 1 }
        return .success(
            L2Page(
                keys: names.compactMap(self.key), next: place.server < endpoints.count ? place.cursor : nil))
    }

    /// A glob that every key of the model matches, foreign ones too.
    private func pattern(_ modelName: String?) -> String {
        let special = "*?[]\\^"
        let model = modelName.map { $0 + "@" } ?? ""
        return (self.keyPrefix + model).map { special.contains($0) ? "\\\($0)" : "\($0)" }.joined() + "*"
    }

    private func key(_ answer: RESPAnswer) -> ObjectKey? {
        guard case .bulk(let bytes) = answer, bytes.starts(with: self.keyPrefix.utf8),
            let name = String(validating: bytes.dropFirst(self.keyPrefix.utf8.count), as: UTF8.self)
        else { return nil }
        return NativeKeyName.parsed(name)
    }
}
