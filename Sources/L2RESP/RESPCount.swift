// lmcache · SPDX-License-Identifier: Apache-2.0

internal import L2Storage

/// Counts what the servers held before: a step of a scan, then the lengths and idle times of its keys in one exchange.
struct RESPCount: Sendable {
    let servers: RESPServers
    let configuration: RESPConfiguration
    let clock: any L2Clock

    private static let keysAtOnce = 1000
    /// Longest wait for one step, which nobody can end early.
    private static let milliseconds: UInt64 = 1000

    func page(_ cursor: String?) -> Result<UsageCounter.Page, L2Failure> {
        let listing = RESPListing(servers: self.servers, keyPrefix: self.configuration.namePrefix)
        let deadline = self.clock.now().advanced(milliseconds: Self.milliseconds)
        let step: L2Page
        switch listing.step(cursor, limit: Self.keysAtOnce, deadline: deadline) {
        case .failure(let failure): return .failure(failure)
        case .success(let found): step = found
        }
        let names = step.keys.map { self.configuration.namePrefix + NativeKeyName.spelled($0) }
        let answers = self.servers.ask(
            names.flatMap { name in
                [.length(of: name), RESPCommand(["OBJECT", "IDLETIME", name], key: name)]
            }, deadline: deadline)
        var page = UsageCounter.Page(objects: [], next: step.next)
        for (place, key) in step.keys.enumerated() {
            switch answers[2 * place] {
            case nil: return .failure(.unavailable)
            case .integer(let byteCount):
                // Servers that evict by frequency know no idle time.
                var idle = 0
                if case .integer(let seconds) = answers[2 * place + 1] { idle = max(0, seconds) }
                page.objects.append(
                    UsageCounter.Counted(key: key, byteCount: byteCount, lastUse: -Int64(clamping: idle)))
            default: break
            }
        }
        return .success(page)
    }
}
