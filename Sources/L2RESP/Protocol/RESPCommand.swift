// lmcache · SPDX-License-Identifier: Apache-2.0

internal import L2Storage

/// One command as it goes to the server, and where its answer goes.
struct RESPCommand: Sendable {
    /// What stands before the value, or the whole command.
    let head: [UInt8]
    /// The value, sent from where it is.
    let value: L2Buffer?
    /// What stands behind the value.
    let tail: [UInt8]
    /// Memory for a string answer of exactly this length.
    let destination: L2Buffer?
    /// What decides which server of a cluster has the key, or nil for any server.
    let slot: Int?

    /// A command without a value of its own.
    init(_ words: [String], key: String? = nil, destination: L2Buffer? = nil) {
        var head = Array("*\(words.count)\r\n".utf8)
        for word in words { Self.append(word, to: &head) }
        self.head = head
        self.value = nil
        self.tail = []
        self.destination = destination
        self.slot = key.map(HashSlot.of)
    }

    /// A command whose value is sent from where it is.
    init(words: [String], value: L2Buffer, after: [String], key: String) {
        var head = Array("*\(words.count + 1 + after.count)\r\n".utf8)
        for word in words { Self.append(word, to: &head) }
        head += "$\(value.byteCount)\r\n".utf8
        var tail: [UInt8] = [UInt8(ascii: "\r"), UInt8(ascii: "\n")]
        for word in after { Self.append(word, to: &tail) }
        self.head = head
        self.value = value
        self.tail = tail
        self.destination = nil
        self.slot = HashSlot.of(key)
    }

    /// `SET`, with `PX` when the object shall vanish by itself.
    static func set(_ key: String, to value: L2Buffer, _ lifetimeMilliseconds: Int?) -> RESPCommand {
        let after = lifetimeMilliseconds.map { ["PX", String($0)] } ?? []
        return RESPCommand(words: ["SET", key], value: value, after: after, key: key)
    }

    static func length(of key: String) -> RESPCommand { RESPCommand(["STRLEN", key], key: key) }

    static func get(_ key: String, into buffer: L2Buffer) -> RESPCommand {
        RESPCommand(["GET", key], key: key, destination: buffer)
    }

    /// Bytes of values that go out or come in.
    var byteCount: Int { (self.value?.byteCount ?? 0) + (self.destination?.byteCount ?? 0) }

    private static func append(_ word: String, to bytes: inout [UInt8]) {
        bytes += "$\(word.utf8.count)\r\n".utf8
        bytes += word.utf8
        bytes += "\r\n".utf8
    }
}
