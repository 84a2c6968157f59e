// lmcache · SPDX-License-Identifier: Apache-2.0

internal import L2Storage
internal import Synchronization

/// The one server, or the servers of a cluster: sends each command where its key lives. Any thread.
///
/// Lock: one, around the map of slots and the list of servers; no call is made under it.
final class RESPServers: Sendable {
    private let configuration: RESPConfiguration
    private let clock: any L2Clock
    private let log: L2Log
    private let state: Mutex<State>

    private struct State: Sendable {
        var slots = SlotMap()
        var nodes: [RESPEndpoint: RESPNode] = [:]
        var nextRefresh = L2Instant(nanoseconds: 0)
    }

    /// Most servers of one cluster: what a hostile one can make us remember.
    private static let nodeLimit = 1024
    /// How often a command follows a redirection.
    private static let hopLimit = 5
    private static let refreshMilliseconds: UInt64 = 200

    init(_ configuration: RESPConfiguration, clock: any L2Clock, log: L2Log) {
        self.configuration = configuration
        self.clock = clock
        self.log = log
        self.state = Mutex(State())
    }

    /// Gives each command an answer; nil where none came.
    func ask(_ commands: [RESPCommand], deadline: L2Instant?) -> [RESPAnswer?] {
        guard self.configuration.isCluster else {
            return self.node(self.configuration.endpoints[0])?.exchange(commands, deadline: deadline)
                ?? commands.map { _ in nil }
        }
        var answers = [RESPAnswer?](repeating: nil, count: commands.count)
        var pending = commands.indices.map { Pending(index: $0) }
        for hop in 0..<Self.hopLimit where !pending.isEmpty {
            self.refreshSlots(isForced: hop > 0, deadline: deadline)
            pending = self.round(pending, commands, &answers, deadline: deadline)
        }
        return answers
    }

    /// Asks every server the same, for listings. Nil where one does not answer.
    func everyEndpoint(deadline: L2Instant?) -> [RESPEndpoint] {
        guard self.configuration.isCluster else { return self.configuration.endpoints }
        self.refreshSlots(isForced: false, deadline: deadline)
        return self.state.withLock { $0.slots.endpoints }.sorted { $0.description < $1.description }
    }

    /// One command to one server.
    func ask(_ command: RESPCommand, of endpoint: RESPEndpoint, deadline: L2Instant?) -> RESPAnswer? {
        self.node(endpoint)?.exchange([command], deadline: deadline)[0]
    }

    func close() {
        let nodes = self.state.withLock { state in Array(state.nodes.values) }
        for node in nodes { node.close() }
    }

    // MARK: Cluster

    /// A command without an answer yet, and where a redirection sent it.
    private struct Pending {
        let index: Int
        var redirection: ClusterRedirection?
    }

    /// Sends what is pending. Returns what was redirected.
    private func round(
        _ pending: [Pending], _ commands: [RESPCommand], _ answers: inout [RESPAnswer?], deadline: L2Instant?
    ) -> [Pending] {
        struct Share: Hashable {
            let endpoint: RESPEndpoint
            let isAsking: Bool
        }
        let slots = self.state.withLock { $0.slots }
        var shares: [Share: [Int]] = [:]
        for one in pending {
            let owner = one.redirection?.endpoint ?? commands[one.index].slot.flatMap(slots.owner)
            let share = Share(
                endpoint: owner ?? self.configuration.endpoints[0], isAsking: one.redirection?.kind == .ask)
            shares[share, default: []].append(one.index)
        }
        var next: [Pending] = []
        for (share, indices) in shares {
            let found = self.exchange(indices.map { commands[$0] }, at: share.endpoint, share.isAsking, deadline)
            for (index, answer) in zip(indices, found) {
                answers[index] = answer
                guard let answer else {
                    self.state.withLock { $0.slots.markStale() }
                    continue
                }
                guard let redirection = ClusterRedirection(answer, asked: share.endpoint) else { continue }
                answers[index] = nil
                if redirection.kind == .moved {
                    self.state.withLock { $0.slots.move(redirection.slot, to: redirection.endpoint) }
                }
                next.append(Pending(index: index, redirection: redirection))
            }
        }
        return next
    }

    private func exchange(
        _ commands: [RESPCommand], at endpoint: RESPEndpoint, _ isAsking: Bool, _ deadline: L2Instant?
    ) -> [RESPAnswer?] {
        guard let node = self.node(endpoint) else { return commands.map { _ in nil } }
        guard isAsking else { return node.exchange(commands, deadline: deadline) }
        let asked = node.exchange(commands.flatMap { [RESPCommand(["ASKING"]), $0] }, deadline: deadline)
        return asked.enumerated().filter { !$0.offset.isMultiple(of: 2) }.map(\.element)
    }

    /// Reads the map of slots from the first server that tells, if it is stale and not read just now.
    private func refreshSlots(isForced: Bool, deadline: L2Instant?) {
        let now = self.clock.now()
        let known: Set<RESPEndpoint>? = self.state.withLock { state in
            guard state.slots.isStale, state.nextRefresh <= now || isForced && state.slots.endpoints.isEmpty else {
                return nil
            }
            state.nextRefresh = now.advanced(milliseconds: Self.refreshMilliseconds)
            return state.slots.endpoints
        }
        guard let known else { return }
        let first = self.configuration.endpoints
        for endpoint in first + known.subtracting(first).sorted(by: { $0.description < $1.description }) {
            let answer = self.ask(RESPCommand(["CLUSTER", "SLOTS"]), of: endpoint, deadline: deadline)
            guard let answer else { continue }
            if self.state.withLock({ $0.slots.read(answer, asked: endpoint) }) { return }
            self.log.note("\(endpoint) tells no slots: \(answer.words)")
        }
    }

    private func node(_ endpoint: RESPEndpoint) -> RESPNode? {
        self.state.withLock { state in
            if let known = state.nodes[endpoint] { return known }
            guard state.nodes.count < Self.nodeLimit else { return nil }
            let node = RESPNode(endpoint, configuration: self.configuration, clock: self.clock, log: self.log)
            state.nodes[endpoint] = node
            return node
        }
    }
}
