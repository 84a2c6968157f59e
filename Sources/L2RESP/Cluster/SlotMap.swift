// lmcache · SPDX-License-Identifier: Apache-2.0

/// Which server of a cluster has which slot, as far as it is known.
struct SlotMap: Equatable, Sendable {
    private var owners: [RESPEndpoint?] = Array(repeating: nil, count: HashSlot.count)
    /// Whether a server failed or pointed elsewhere since the map was read.
    private(set) var isStale = true

    /// Who has the slot, or nil when nobody is known to.
    func owner(of slot: Int) -> RESPEndpoint? {
        self.owners.indices.contains(slot) ? self.owners[slot] : nil
    }

    /// Every server that has a slot.
    var endpoints: Set<RESPEndpoint> { Set(self.owners.compactMap(\.self)) }

    mutating func markStale() { self.isStale = true }

    /// Notes what a `MOVED` said.
    mutating func move(_ slot: Int, to endpoint: RESPEndpoint) {
        guard self.owners.indices.contains(slot) else { return }
        self.owners[slot] = endpoint
        self.isStale = true
    }

    /// Reads the answer to `CLUSTER SLOTS`. False, with nothing changed, for anything else.
    ///
    /// - Parameter asked: The server that answered; it stands for an empty host.
    mutating func read(_ answer: RESPAnswer, asked: RESPEndpoint) -> Bool {
        guard case .array(let ranges) = answer, !ranges.isEmpty else { return false }
        var owners = [RESPEndpoint?](repeating: nil, count: HashSlot.count)
        for range in ranges {
            guard case .array(let fields) = range, fields.count >= 3, case .integer(let first) = fields[0],
                case .integer(let last) = fields[1], 0..<HashSlot.count ~= first, 0..<HashSlot.count ~= last,
                first <= last, case .array(let node) = fields[2], node.count >= 2, case .integer(let port) = node[1],
                let port = UInt16(exactly: port), port > 0
            else { return false }
            var host = asked.host
            if case .bulk(let bytes) = node[0], !bytes.isEmpty, bytes != Array("?".utf8) {
                host = String(decoding: bytes, as: UTF8.self)
            }
            for slot in first...last { owners[slot] = RESPEndpoint(host: host, port: port) }
        }
        self.owners = owners
        self.isStale = false
        return true
    }
}

/// Where a server of a cluster sends a command instead.
struct ClusterRedirection: Equatable {
    enum Kind: Equatable {
        /// For good.
        case moved
        /// This once, after `ASKING`.
        case ask
    }

    let kind: Kind
    let slot: Int
    let endpoint: RESPEndpoint

    /// Reads `MOVED slot host:port` and `ASK slot host:port`; nil for any other answer.
    ///
    /// - Parameter asked: The server that answered; it stands for an empty host.
    init?(_ answer: RESPAnswer, asked: RESPEndpoint) {
        guard case .error(let text) = answer else { return nil }
        let words = text.split(separator: " ")
        guard words.count == 3, let slot = Int(words[1]), 0..<HashSlot.count ~= slot else { return nil }
        switch words[0] {
        case "MOVED": self.kind = .moved
        case "ASK": self.kind = .ask
        default: return nil
        }
        // An IPv6 address comes without brackets, and a server that does not know its own name with nothing.
        guard let colon = words[2].lastIndex(of: ":"), let port = UInt16(words[2][words[2].index(after: colon)...]),
            port > 0
        else { return nil }
        let host = words[2][..<colon]
        self.slot = slot
        self.endpoint = RESPEndpoint(host: host.isEmpty ? asked.host : String(host), port: port)
    }
}
