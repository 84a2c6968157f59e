// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import L1Cache
import L2Storage
import Testing

@testable import CacheEngine

/// The prefetch controller against a small world that answers its actions in every order, late, wrongly or never.
@Suite struct PrefetchControllerModelTests {
    /// Two requests for the same two chunks, two tiers: every sequence of choices up to a depth.
    @Test func everyOrderOfAnswersEndsEverythingOnce() {
        var worlds = [PrefetchWorld()]
        var seen = 0
        for _ in 0..<9 {
            var next: [PrefetchWorld] = []
            for world in worlds {
                for choice in world.choices {
                    var world = world
                    world.apply(choice)
                    world.check()
                    next.append(world)
                }
            }
            seen += next.count
            // A fixed sample keeps the number of branches bearable.
            worlds =
                next.count <= 1500
                ? next
                : next.enumerated().filter { $0.offset % (next.count / 1500 + 1) == 0 }
                    .map(\.element)
        }
        #expect(seen > 5000)
        for var world in worlds {
            world.finish()
            world.checkEnd()
        }
    }

    /// Long random walks with more requests.
    @Test(arguments: 0..<300 as Range<UInt64>) func anyOrderOfAnswersEndsEverythingOnce(seed: UInt64) {
        var random = SeededChoices(seed: seed)
        var world = PrefetchWorld(requests: 5, inFlight: 2)
        for _ in 0..<80 {
            let choices = world.choices
            guard !choices.isEmpty else { break }
            world.apply(choices[Int(random.next() % UInt64(choices.count))])
            world.check()
        }
        world.finish()
        world.checkEnd()
    }
}

private struct SeededChoices {
    private var state: UInt64

    init(seed: UInt64) { self.state = seed &+ 99 }

    mutating func next() -> UInt64 {
        self.state = self.state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return self.state >> 33
    }
}

/// What the controller's actions act on: a first tier of two cells, and tiers that have both.
private struct PrefetchWorld {
    enum Choice {
        case submit
        case look(Int, finds: Bool)
        case load(Int, arrives: Int)
        case cancel(UInt64)
        case time(UInt64)
        case evict(Int)
        case replay(PrefetchStep)
    }

    private enum Cell: Equatable {
        case absent
        case staged(ObjectHandle)
        case resident(ObjectHandle)
    }

    private static let hashes = [ChunkHash(words: (1, 0, 0, 0)), ChunkHash(words: (2, 0, 0, 0))]

    private var controller: PrefetchController
    private var cells: [Cell] = [.absent, .absent]
    private var generation: UInt32 = 0
    private var holds: [ObjectHandle: Int] = [:]
    private var looks: [PrefetchStep] = []
    private var loads: [PrefetchStep] = []
    private var old: [PrefetchStep] = []
    private var now: UInt64 = 0
    private var submitted: UInt64 = 0
    private let requests: UInt64
    private var ended: [PrefetchID] = []

    init(requests: UInt64 = 2, inFlight: Int = 8) {
        var limits = PrefetchController.Limits()
        limits.inFlight = inFlight
        limits.deadlineMilliseconds = 100
        limits.graceMilliseconds = 10
        self.controller = PrefetchController(limits: limits)
        self.requests = requests
    }

    private var clock: L2Instant { L2Instant(nanoseconds: self.now * 1_000_000) }

    var choices: [Choice] {
        var choices: [Choice] = []
        if self.submitted < self.requests { choices.append(.submit) }
        for index in self.looks.indices.prefix(2) {
            choices += [.look(index, finds: true), .look(index, finds: false)]
        }
        for index in self.loads.indices.prefix(2) {
            choices += (0...self.loads[index].cells.count).map { .load(index, arrives: $0) }
        }
        if self.submitted > 0 { choices += [.cancel(1 + self.now % self.submitted), .time(6), .time(60)] }
        for index in self.cells.indices {
            if case .resident(let handle) = self.cells[index], self.holds[handle] ?? 0 == 0 {
                choices.append(.evict(index))
            }
        }
        if let step = self.old.last { choices.append(.replay(step)) }
        return choices
    }

    mutating func apply(_ choice: Choice) {
        switch choice {
        case .submit:
            self.submitted += 1
            let query = PrefixQuery(
                namespace: NamespaceID(0), worldSize: 1, windows: [.everything], hashes: Self.hashes, readerCount: 1)
            let request = PrefetchRequest(
                id: PrefetchID(self.submitted), query: query, byteCounts: [[8]],
                mode: self.submitted % 3 == 0 ? .everything : .prefix, retains: true)
            self.perform(self.controller.submit(request, now: self.clock))
        case .look(let index, let finds):
            let step = self.looks.remove(at: index)
            self.old.append(step)
            let lengths = step.cells.map { _ in finds ? 8 : 0 }
            self.perform(self.controller.looked(step, lengths: lengths, now: self.clock))
        case .load(let index, let count):
            let step = self.loads.remove(at: index)
            self.old.append(step)
            self.perform(
                self.controller.loaded(step, isLoaded: step.cells.indices.map { $0 < count }, now: self.clock))
        case .cancel(let number): self.perform(self.controller.cancel(PrefetchID(number)))
        case .time(let milliseconds):
            self.now += milliseconds
            self.perform(self.controller.tick(now: self.clock))
        case .evict(let index): self.cells[index] = .absent
        case .replay(let step):
            self.perform(self.controller.looked(step, lengths: step.cells.map { _ in 8 }, now: self.clock))
            self.perform(self.controller.loaded(step, isLoaded: step.cells.map { _ in true }, now: self.clock))
        }
    }

    private mutating func perform(_ actions: [PrefetchController.Action]) {
        for action in actions { self.perform(action) }
    }

    private mutating func perform(_ action: PrefetchController.Action) {
        switch action {
        case .survey(let id, let releasing):
            let survey = self.cells.map { cell -> PrefixSurvey.Cell in
                switch cell {
                case .absent: .absent
                case .staged: .staged
                case .resident: .resident
                }
            }
            var holds: [ObjectHandle] = []
            for case .resident(let handle) in self.cells { holds.append(handle) }
            for handle in holds { self.holds[handle, default: 0] += 1 }
            self.release(releasing)
            let answer = PrefixSurvey(cells: survey, holds: holds)
            self.perform(
                self.controller.surveyed(id, answer, tiers: [TierID(0), TierID(1)], now: self.clock))
        case .look(let step): self.looks.append(step)
        case .reserve(let id, let loads):
            let grants = loads.map { self.reserve($0.cell) }
            self.perform(self.controller.reserved(id, loads, grants: grants, now: self.clock))
        case .load(let step): self.loads.append(step)
        case .cancel(let step):
            self.looks.removeAll { $0 == step }
            self.loads.removeAll { $0 == step }
            self.old.append(step)
        case .publish(let handles, _):
            for handle in handles {
                let index = self.cells.firstIndex(of: .staged(handle))
                #expect(index != nil, "published what was not staged")
                if let index { self.cells[index] = .resident(handle) }
            }
        case .abandon(let handles):
            for handle in handles {
                let index = self.cells.firstIndex(of: .staged(handle))
                #expect(index != nil, "abandoned what was not staged")
                if let index { self.cells[index] = .absent }
            }
            self.release(handles)
        case .finish(let outcome):
            self.ended.append(outcome.id)
            self.release(outcome.holds)
        case .drop(let id, let holds):
            self.ended.append(id)
            self.release(holds)
        }
    }

    private mutating func reserve(_ cell: Int) -> PrefetchController.Grant {
        switch self.cells[cell] {
        case .resident: return .resident
        case .staged: return .contended
        case .absent:
            self.generation += 1
            if self.generation % 7 == 0 { return .outOfMemory }
            let handle = ObjectHandle(index: UInt32(cell), generation: self.generation)
            self.cells[cell] = .staged(handle)
            self.holds[handle] = 1
            return .granted(handle)
        }
    }

    private mutating func release(_ handles: [ObjectHandle]) {
        for handle in handles {
            #expect(self.holds[handle] ?? 0 > 0, "a hold that nobody has")
            self.holds[handle, default: 0] -= 1
            if self.holds[handle] == 0 { self.holds[handle] = nil }
        }
    }

    func check() {
        #expect(Set(self.ended).count == self.ended.count, "ended twice")
        for case .staged(let handle) in self.cells { #expect(self.holds[handle] ?? 0 == 1) }
    }

    /// Lets the time pass until nothing can be left.
    mutating func finish() {
        for _ in 0..<20 { self.apply(.time(30)) }
    }

    func checkEnd() {
        #expect(self.controller.isIdle && self.controller.inFlightCount == 0 && self.controller.queuedCount == 0)
        #expect(self.ended.count == Int(self.submitted))
        #expect(self.holds.isEmpty)
        #expect(!self.cells.contains { if case .staged = $0 { true } else { false } })
        #expect(self.looks.isEmpty && self.loads.isEmpty)
    }
}
