// lmcache · SPDX-License-Identifier: Apache-2.0

import Testing

@testable import lmcache

struct ArgumentRewriterTests {
    static let table: [(given: String, expected: String)] = [
        ("", ""),
        ("server --l1-size 1", "server --l1-size-gb=1"),
        ("server --l1-size=1", "server --l1-size-gb=1"),
        ("server --null-block-id -1 --port 5", "server --null-block-id=-1 --port=5"),
        ("server --enable a b --port 1", "server --enable a b --port=1"),
        ("server --enable=a --port 1", "server --enable a --port=1"),
        ("server --no-isol", "server --no-isolated-ipc"),
        ("server --l2-adapter x --l2-adapter y", "server --l2-adapter=x --l2-adapter=y"),
        ("server --host - -q", "server --host=- -q"),
        ("ping --url http://a kvcache", "ping --url=http://a kvcache"),
        ("ping kvcache -q", "ping kvcache -q"),
        ("kvcache --format json -q clear --url u", "kvcache clear --url=u --format=json -q"),
        ("--version", "--version"),
        ("help server", "help server"),
        ("help --port", "help --port"),
        ("ping -- --url", "ping -- --url"),
    ]

    @Test(arguments: Self.table.indices)
    func rewrites(_ index: Int) throws {
        let tree = try #require(CommandTree(LMCacheCommand.self))
        let row = Self.table[index]
        let given = row.given.split(separator: " ").map(String.init)
        #expect(
            try ArgumentRewriter.rewrite(given, for: tree).sorted()
                == row.expected.split(separator: " ").map(String.init).sorted()
        )
        if !row.given.hasPrefix("kvcache") {
            #expect(try ArgumentRewriter.rewrite(given, for: tree).joined(separator: " ") == row.expected)
        }
    }

    @Test func anEmptyValueStaysAValue() throws {
        let tree = try #require(CommandTree(LMCacheCommand.self))
        #expect(try ArgumentRewriter.rewrite(["server", "--host="], for: tree) == ["server", "--host", ""])
        #expect(try ArgumentRewriter.rewrite(["server", "--host", ""], for: tree) == ["server", "--host", ""])
    }

    @Test func deprecatedSpellingsAreTakenWholeOnly() throws {
        let tree = try #require(CommandTree(LMCacheCommand.self))
        #expect(
            try ArgumentRewriter.rewrite(["server", "--coordinator-l2-event-flush-interval", "1"], for: tree)
                == ["server", "--coordinator-l2-event-flush-interval=1"]
        )
        #expect(throws: UsageError.self) {
            try ArgumentRewriter.rewrite(["server", "--coordinator-l2-event-fl", "1"], for: tree)
        }
    }
}

struct SuggestionTests {
    @Test func farWordsGetNoSuggestion() {
        let flags = ["--port", "--host", "--l1-size-gb"]
        #expect(Suggestion.nearest(to: "--prot", in: flags) == "--port")
        #expect(Suggestion.nearest(to: "--l1-size-gib", in: flags) == "--l1-size-gb")
        #expect(Suggestion.nearest(to: "--banana", in: flags) == nil)
        #expect(Suggestion.nearest(to: "-x", in: flags) == nil)
        #expect(Suggestion.nearest(to: String(repeating: "p", count: 101), in: flags) == nil)
    }
}
