// lmcache · SPDX-License-Identifier: Apache-2.0

import Testing

@testable import L2RESP

@Suite struct RESPAssemblerTests {
    /// Feeds `text` in parts of `step` bytes and returns the answers, or nil where it makes no sense.
    private static func answers(_ text: String, step: Int, destination: UnsafeMutableRawBufferPointer? = nil)
        -> [RESPAnswer]?
    {
        var reader = RESPReader()
        var assembler = RESPAssembler(destination: destination)
        var rest = Array(text.utf8)[...]
        var found: [RESPAnswer] = []
        while true {
            do throws(RESPConnectionError) {
                while let answer = try assembler.advance(&reader) {
                    found.append(answer)
                    assembler = RESPAssembler(destination: destination)
                }
                guard !rest.isEmpty else { return found }
                let part = rest.prefix(step)
                if let area = assembler.directArea {
                    let count = min(area.count, part.count)
                    area.copyBytes(from: part.prefix(count))
                    assembler.noteDirect(count)
                    rest = rest.dropFirst(count)
                } else {
                    try reader.fill { (room) throws(RESPConnectionError) in
                        room.copyBytes(from: part)
                        return ((), part.count)
                    }
                    rest = rest.dropFirst(part.count)
                }
            } catch {
                return nil
            }
        }
    }

    @Test(arguments: [1, 2, 3, 7, 1000])
    func everyKindOfReplyIsReadInPartsOfAnySize(_ step: Int) {
        let text =
            "+OK\r\n-ERR no\r\n:-12\r\n$-1\r\n*-1\r\n*0\r\n$0\r\n\r\n$4\r\na\r\nb\r\n*2\r\n$1\r\nx\r\n*2\r\n:1\r\n+y\r\n"
        #expect(
            Self.answers(text, step: step) == [
                .simple("OK"), .error("ERR no"), .integer(-12), .none, .none, .array([]), .bulk([]),
                .bulk(Array("a\r\nb".utf8)), .array([.bulk(Array("x".utf8)), .array([.integer(1), .simple("y")])]),
            ])
    }

    @Test(arguments: [1, 2, 3, 7, 1000])
    func aStringOfTheRightLengthGoesIntoItsMemoryAndOthersGoNowhere(_ step: Int) {
        let area = UnsafeMutableRawBufferPointer.allocate(byteCount: 8, alignment: 8)
        defer { area.deallocate() }
        area.initializeMemory(as: UInt8.self, repeating: 0)
        let text = "$9\r\n123456789\r\n$7\r\n1234567\r\n$-1\r\n$8\r\nabcdefgh\r\n"
        let found = Self.answers(text, step: step, destination: area)
        #expect(found == [.wrongLength(9), .wrongLength(7), .none, .filled])
        #expect(Array(area) == Array("abcdefgh".utf8))
    }

    @Test(arguments: [
        "x\r\n", ":1\n", "\r\n", "$-2\r\n", "$1073741825\r\n", ":\r\n", ":1x\r\n", "$1\r\nab\r\n",
        "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n", "*1048577\r\n", "$1048577\r\n",
    ])
    func nonsenseIsRefused(_ text: String) {
        #expect(Self.answers(text, step: 1) == nil)
        #expect(Self.answers(text, step: 1000) == nil)
    }

    @Test func manyLargeStringsInOneReplyAreRefused() {
        let one = "$1000000\r\n" + String(repeating: "x", count: 1_000_000) + "\r\n"
        let text = "*100\r\n" + String(repeating: one, count: 70)
        #expect(Self.answers(text, step: 60_000) == nil)
    }
}
