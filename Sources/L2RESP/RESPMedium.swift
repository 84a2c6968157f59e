// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel
package import L2Storage

/// Objects as plain strings of a Redis or Valkey server, with the keys and values of LMCache 0.5.6's `resp`.
///
/// The server is the truth and may forget what it likes. A value is visible after its last byte: `SET` is atomic.
package final class RESPMedium: L2PipelinedMedium {
    package let configuration: RESPConfiguration
    private let servers: RESPServers
    private let accounts: ObjectAccounts
    private let models = BoundModels()
    private let counter: UsageCounter?
    private let traffic = TrafficGauge()

    package let exchangeLimits = (items: 4096, bytes: 16 << 20)

    /// Connects to nothing yet: a server that is not there costs misses until it is.
    package init(
        _ configuration: RESPConfiguration, clock: any L2Clock = MonotonicL2Clock(), log: L2Log = .none
    ) {
        self.configuration = configuration
        self.servers = RESPServers(configuration, clock: clock, log: log)
        self.accounts = ObjectAccounts(capacityBytes: configuration.capacityBytes)
        guard configuration.countsUsage else {
            self.counter = nil
            return
        }
        let count = RESPCount(servers: self.servers, configuration: configuration, clock: clock)
        self.counter = UsageCounter(accounts: self.accounts, isBusy: { [traffic = self.traffic] in traffic.isBusy }) {
            cursor, _ in
            count.page(cursor)
        }
        self.counter?.start(name: "l2-resp-count")
    }

    package func perform(_ operation: L2Operation, deadline: L2Instant?, report: (Int, L2Result) -> Void) {
        self.traffic.enter()
        defer { self.traffic.leave() }
        let names = operation.keys.map(self.place)
        // What has no name, or another layout, is answered without the server.
        let asked = names.indices.filter { names[$0].answer == nil }
        for (index, place) in names.enumerated() { if let answer = place.answer { report(index, answer) } }
        func select<Item>(_ items: [Item]) -> [Numbered<Item>] {
            asked.map { Numbered(index: $0, name: names[$0].name, item: items[$0]) }
        }
        guard !asked.isEmpty else { return }
        switch operation {
        case .store(let objects): self.store(select(objects), deadline, report)
        case .lookup(let probes): self.lookup(select(probes), deadline, report)
        case .load(let objects): self.load(select(objects), deadline, report)
        case .delete(let keys): self.delete(select(keys), deadline, report)
        }
    }

    package func store(_ object: L2Object) -> L2Result { self.single(.store([object])) }
    package func lookup(_ probe: L2Probe) -> L2Result { self.single(.lookup([probe])) }
    package func load(_ object: L2Object) -> L2Result { self.single(.load([object])) }
    package func delete(_ key: ObjectKey) -> L2Result { self.single(.delete([key])) }

    package func list(_ query: L2ListQuery) -> Result<L2Page, L2Failure> {
        RESPListing(servers: self.servers, keyPrefix: self.configuration.namePrefix).page(query)
    }

    package func usage() -> L2Usage { self.accounts.usage() }

    package func leastRecent(limit: Int) -> [ObjectKey] { self.accounts.leastRecent(limit: limit) }

    package func shutDown() {
        self.counter?.stop()
        self.servers.close()
    }

    package func bind(to manifest: L2NamespaceManifest) -> L2Binding {
        let key = self.configuration.namePrefix + "lmcache-manifest@" + manifest.modelName
        let buffer = L2Buffer(copying: manifest.bytes)
        let write = RESPCommand(words: ["SET", key], value: buffer, after: ["NX"], key: key)
        let answers = self.servers.ask([write, RESPCommand(["GET", key], key: key)], deadline: nil)
        guard case .bulk(let found) = answers[1] else { return .failed(.unavailable) }
        self.models.note(manifest.modelName, agrees: found == manifest.bytes)
        return found == manifest.bytes ? .agrees : .conflicts
    }

    // MARK: Operations

    /// An item with its place in the batch and its key's name.
    private struct Numbered<Item> {
        let index: Int
        let name: String
        let item: Item
    }

    private func lookup(_ probes: [Numbered<L2Probe>], _ deadline: L2Instant?, _ report: (Int, L2Result) -> Void) {
        let answers = self.servers.ask(probes.map { .length(of: $0.name) }, deadline: deadline)
        for (probe, answer) in zip(probes, answers) {
            report(probe.index, self.found(answer, probe.item.key, byteCount: probe.item.byteCount))
        }
    }

    private func load(_ objects: [Numbered<L2Object>], _ deadline: L2Instant?, _ report: (Int, L2Result) -> Void) {
        let answers = self.servers.ask(objects.map { .get($0.name, into: $0.item.buffer) }, deadline: deadline)
        for (object, answer) in zip(objects, answers) {
            let (key, byteCount) = (object.item.key, object.item.buffer.byteCount)
            switch answer {
            case .filled:
                self.accounts.note(key, byteCount: byteCount)
                report(object.index, .done(byteCount: byteCount))
            case .wrongLength(let found): report(object.index, .miss(.wrongLength(found: found)))
            case .some(.none):
                self.accounts.forget(key)
                report(object.index, .miss(.absent))
            default: report(object.index, Self.verdict(answer))
            }
        }
    }

    private func delete(_ keys: [Numbered<ObjectKey>], _ deadline: L2Instant?, _ report: (Int, L2Result) -> Void) {
        let commands = keys.flatMap { key in
            [RESPCommand.length(of: key.name), RESPCommand(["UNLINK", key.name], key: key.name)]
        }
        let answers = self.servers.ask(commands, deadline: deadline)
        for (place, key) in keys.enumerated() {
            guard case .integer(let removed) = answers[2 * place + 1] else {
                report(key.index, Self.verdict(answers[2 * place + 1]))
                continue
            }
            self.accounts.forget(key.item)
            guard removed > 0 else {
                report(key.index, .miss(.absent))
                continue
            }
            // Another server may have replaced it in between; the length is for the accounts only.
            if case .integer(let length) = answers[2 * place] {
                report(key.index, .done(byteCount: max(0, length)))
            } else {
                report(key.index, .done(byteCount: 0))
            }
        }
    }

    private func store(_ objects: [Numbered<L2Object>], _ deadline: L2Instant?, _ report: (Int, L2Result) -> Void) {
        let present = self.servers.ask(objects.map { .length(of: $0.name) }, deadline: deadline)
        var wanted: [(object: Numbered<L2Object>, replaced: Int)] = []
        for (object, answer) in zip(objects, present) {
            let (key, byteCount) = (object.item.key, object.item.buffer.byteCount)
            switch self.found(answer, key, byteCount: byteCount) {
            case .done:
                self.accounts.note(key, byteCount: byteCount)
                report(object.index, .present(byteCount: byteCount))
            case .miss(.absent): wanted.append((object, 0))
            case .miss(.wrongLength(let found)): wanted.append((object, found))
            case let other: report(object.index, other)
            }
        }
        wanted = wanted.filter { object, replaced in
            if self.accounts.claim(object.item.buffer.byteCount, replacing: replaced) { return true }
            report(object.index, .failed(.full))
            return false
        }
        guard !wanted.isEmpty else { return }
        let answers = self.servers.ask(
            wanted.map { .set($0.object.name, to: $0.object.item.buffer, self.configuration.lifetimeMilliseconds) },
            deadline: deadline)
        for ((object, _), answer) in zip(wanted, answers) {
            let byteCount = object.item.buffer.byteCount
            self.accounts.unclaim(byteCount)
            guard answer == .simple("OK") else {
                report(object.index, Self.verdict(answer))
                continue
            }
            self.accounts.note(object.item.key, byteCount: byteCount)
            report(object.index, .done(byteCount: byteCount))
        }
    }

    /// What `STRLEN` says about a key; an object has at least one byte.
    private func found(_ answer: RESPAnswer?, _ key: ObjectKey, byteCount: Int) -> L2Result {
        switch answer {
        case .integer(byteCount): return .done(byteCount: byteCount)
        case .integer(0):
            self.accounts.forget(key)
            return .miss(.absent)
        case .integer(let length) where length > 0: return .miss(.wrongLength(found: length))
        default: return Self.verdict(answer)
        }
    }

    /// What an answer means that is not the one hoped for.
    private static func verdict(_ answer: RESPAnswer?) -> L2Result {
        switch answer?.errorCode {
        case "WRONGTYPE": .miss(.notAnObject)
        case "OOM": .failed(.full)
        default: .failed(.unavailable)
        }
    }

    // MARK: Names

    private func place(_ key: ObjectKey) -> (name: String, answer: L2Result?) {
        guard NativeKeyName.isSpellable(key) else { return ("", .failed(.unspellable)) }
        if self.models.isForeign(key.modelName) { return ("", .miss(.otherLayout)) }
        return (self.configuration.namePrefix + NativeKeyName.spelled(key), nil)
    }

    private func single(_ operation: L2Operation) -> L2Result {
        var result = L2Result.failed(.unavailable)
        self.perform(operation, deadline: nil) { result = $1 }
        return result
    }
}

extension RESPConfiguration {
    /// What stands before every key.
    var namePrefix: String { self.keyPrefix.isEmpty ? "" : self.keyPrefix + "@" }
}
