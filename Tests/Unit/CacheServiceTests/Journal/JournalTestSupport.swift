// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheService
import DurableFile
import KVModel
import Synchronization

/// A registration with frames that are easy to tell apart.
func registration(
    _ instance: Int64,
    kind: JournaledRegistration.Kind = .cache,
    version: UInt8 = 0,
    byteCount: Int = 20
) -> JournaledRegistration {
    JournaledRegistration(
        kind: kind,
        instance: InstanceID(instance),
        frames: [[UInt8(truncatingIfNeeded: instance), version], [], [UInt8](repeating: version, count: byteCount)]
    )
}

/// A journal file of these records.
func journalFile(_ records: [JournalRecord]) -> [UInt8] {
    JournalCodec.header + records.compactMap { JournalCodec.encode($0) }.joined()
}

/// Lines that a journal reported.
final class ReportedLines: Sendable {
    private let lines = Mutex<[String]>([])

    var all: [String] { self.lines.withLock { $0 } }

    func append(_ line: String) { self.lines.withLock { $0.append(line) } }
}

/// Content in memory whose call number `failingCall` fails, or all from there on.
///
/// A failed append leaves half its bytes.
final class FaultyJournalStorage: JournalStorage {
    private struct State {
        var content: [UInt8]?
        var calls = 0
        var failures = 0
    }

    private let failingCall: Int
    private let isSticky: Bool
    private let state: Mutex<State>

    init(_ content: [UInt8]?, failingCall: Int, isSticky: Bool) {
        self.failingCall = failingCall
        self.isSticky = isSticky
        self.state = Mutex(State(content: content))
    }

    var content: [UInt8]? { self.state.withLock { $0.content } }
    var failures: Int { self.state.withLock { $0.failures } }

    func read(limit: Int) throws(DurableFileError) -> [UInt8]? {
        try self.call("read")
        return self.content
    }

    func append(_ bytes: [UInt8]) throws(DurableFileError) {
        do {
            try self.call("append")
            self.state.withLock { $0.content = ($0.content ?? []) + bytes }
        } catch {
            self.state.withLock { $0.content = ($0.content ?? []) + bytes.prefix(bytes.count / 2) }
            throw error
        }
    }

    func replace(with bytes: [UInt8]) throws(DurableFileError) {
        try self.call("replace")
        self.state.withLock { $0.content = bytes }
    }

    func moveAside() throws(DurableFileError) {
        try self.call("moveAside")
        self.state.withLock { $0.content = nil }
    }

    func remove() throws(DurableFileError) {
        try self.call("remove")
        self.state.withLock { $0.content = nil }
    }

    private func call(_ name: String) throws(DurableFileError) {
        let isFailing = self.state.withLock { state in
            state.calls += 1
            let isFailing = self.isSticky ? state.calls >= self.failingCall : state.calls == self.failingCall
            state.failures += isFailing ? 1 : 0
            return isFailing
        }
        if isFailing { throw DurableFileError(path: "memory", reason: .system(call: name, code: 5)) }
    }
}

/// SplitMix64.
struct JournalTestRandom: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { self.state = seed }

    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = self.state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }

    mutating func bytes(upTo count: Int) -> [UInt8] {
        (0..<Int.random(in: 0...count, using: &self)).map { _ in UInt8.random(in: 0...255, using: &self) }
    }
}
