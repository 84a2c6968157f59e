// lmcache · SPDX-License-Identifier: Apache-2.0

import L2Storage
import Testing

@testable import L2RESP

@Suite struct RESPOutgoingTests {
    /// What goes out while nothing more than `received` bytes of answers come, and whether more is said to follow.
    private static func sent(
        _ outgoing: inout RESPOutgoing, received: Int
    ) throws -> (commands: Int, followed: [Bool]) {
        var (text, followed) = ("", [Bool]())
        while outgoing.isReady(received: received) {
            try outgoing.send(received: received) { (area, isLast) throws(RESPConnectionError) in
                // A part at a time, as a socket may take it.
                let count = min(area.count, 7)
                text += String(decoding: area[..<count], as: UTF8.self)
                if count == area.count { followed.append(!isLast) }
                return ((), count)
            }
        }
        return (max(0, text.split(separator: "GET").count - 1), followed)
    }

    @Test func longAnswersAreAskedForWhenThoseBeforeHaveNearlyCome() throws {
        let length = 4 << 20
        let commands = (0..<3).map { RESPCommand.get("k\($0)", into: L2Buffer(byteCount: length)) }
        var outgoing = RESPOutgoing(commands)
        var sent = try Self.sent(&outgoing, received: 0)
        #expect(sent.commands == 1)
        // The system must not hold it back for what does not follow.
        #expect(sent.followed == [false])
        #expect(try Self.sent(&outgoing, received: length - RESPOutgoing.window - 1).commands == 0)
        #expect(try Self.sent(&outgoing, received: length - RESPOutgoing.window).commands == 1)
        #expect(!outgoing.isEmpty)
        sent = try Self.sent(&outgoing, received: 2 * length)
        #expect(sent.commands == 1)
        #expect(sent.followed == [false])
        #expect(outgoing.isEmpty)
    }

    @Test func shortAnswersAndValuesGoAtOnce() throws {
        let commands = (0..<1000).map { RESPCommand.get("k\($0)", into: L2Buffer(byteCount: 100)) }
        var outgoing = RESPOutgoing(commands)
        let sent = try Self.sent(&outgoing, received: 0)
        #expect(sent.commands == 1000)
        #expect(sent.followed == [false])
        outgoing = RESPOutgoing((0..<3).map { .set("k\($0)", to: L2Buffer(byteCount: 2 << 20), nil) })
        #expect(try Self.sent(&outgoing, received: 0).followed == [true, true, true, true, true, true, false])
        #expect(outgoing.isEmpty)
    }
}
