// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheEngine
import KVModel
import Testing

/// One event at a time in seconds, with what it must answer.
private enum Step: Sendable {
    case register(Int64, connection: UInt64?, process: Int32? = nil, at: Int)
    case unregister(Int64)
    case active(Int64, connection: UInt64, at: Int)
    case ping(Int64, connection: UInt64 = 1, at: Int, answers: Bool)
    case close(UInt64, at: Int, orphans: [Int64])
    case due(at: Int, dead: Set<Int32> = [], reaps: [Int64: WorkerLiveness.Reaped.Reason])
}

private struct Scenario: Sendable, CustomTestStringConvertible {
    let testDescription: String
    var limits = WorkerLiveness.Limits(reapAfter: .seconds(120), registrationGrace: .seconds(3600))
    let steps: [Step]

    init(_ name: String, limits: WorkerLiveness.Limits? = nil, _ steps: [Step]) {
        self.testDescription = name
        self.steps = steps
        if let limits { self.limits = limits }
    }
}

private let neverForSilence = WorkerLiveness.Limits(reapAfter: nil, registrationGrace: .seconds(3600))

private let scenarios: [Scenario] = [
    Scenario(
        "a fresh server answers false once, then true",
        [
            .ping(7, at: 0, answers: false), .ping(7, at: 10, answers: true), .ping(7, at: 20, answers: true),
        ]
    ),
    Scenario(
        "each unknown id gets its own false",
        [
            .ping(7, at: 0, answers: false), .ping(8, at: 0, answers: false), .ping(7, at: 1, answers: true),
            .ping(8, at: 1, answers: true),
        ]
    ),
    Scenario(
        "a registered id is never told false",
        [
            .register(7, connection: 1, at: 0), .ping(7, at: 1, answers: true), .ping(7, at: 2, answers: true),
        ]
    ),
    Scenario(
        "reaped, false once again, and once more after the next loss",
        [
            .ping(7, at: 0, answers: false), .ping(7, at: 10, answers: true), .register(7, connection: 1, at: 11),
            .ping(7, at: 20, answers: true), .due(at: 141, reaps: [7: .silent]), .ping(7, at: 142, answers: false),
            .ping(7, at: 152, answers: true), .register(7, connection: 1, at: 153), .ping(7, at: 154, answers: true),
            .due(at: 275, reaps: [7: .silent]), .ping(7, at: 276, answers: false), .ping(7, at: 277, answers: true),
        ]
    ),
    Scenario(
        "false once after unregistering",
        [
            .register(7, connection: 1, at: 0), .unregister(7), .ping(7, at: 1, answers: false),
            .ping(7, at: 2, answers: true), .due(at: 9000, reaps: [:]),
        ]
    ),
    Scenario(
        "the reap limit is exclusive and counts from the last sign of life",
        [
            .register(7, connection: 1, at: 0), .ping(7, at: 0, answers: true), .due(at: 120, reaps: [:]),
            .active(7, connection: 1, at: 120), .due(at: 240, reaps: [:]), .ping(7, at: 240, answers: true),
            .due(at: 360, reaps: [:]), .register(7, connection: 1, at: 360), .due(at: 480, reaps: [:]),
            .due(at: 481, reaps: [7: .silent]), .due(at: 482, reaps: [:]),
        ]
    ),
    Scenario(
        "a worker that never pings lives under the grace",
        [
            .register(7, connection: 1, at: 0), .due(at: 3600, reaps: [:]), .active(7, connection: 1, at: 3600),
            .due(at: 7200, reaps: [:]), .due(at: 7201, reaps: [7: .neverPinged]),
        ]
    ),
    Scenario(
        "its last connection closes: the reap limit counts from there",
        [
            .register(7, connection: 1, at: 0), .close(1, at: 1000, orphans: [7]), .due(at: 1120, reaps: [:]),
            .due(at: 1121, reaps: [7: .disconnected]),
        ]
    ),
    Scenario(
        "active again after the close: the grace counts again",
        [
            .register(7, connection: 1, at: 0), .close(1, at: 1000, orphans: [7]), .active(7, connection: 2, at: 1100),
            .due(at: 1300, reaps: [:]), .due(at: 4700, reaps: [:]), .due(at: 4701, reaps: [7: .neverPinged]),
        ]
    ),
    Scenario(
        "one of two connections closes: nothing changes",
        [
            .register(7, connection: 1, at: 0), .active(7, connection: 2, at: 1), .close(1, at: 2, orphans: []),
            .due(at: 1000, reaps: [:]), .close(2, at: 1000, orphans: [7]), .due(at: 1121, reaps: [7: .disconnected]),
        ]
    ),
    Scenario(
        "one connection carries several instances",
        [
            .register(9, connection: 1, at: 0), .register(7, connection: 1, at: 0), .register(8, connection: 2, at: 0),
            .close(1, at: 5, orphans: [7, 9]), .close(1, at: 6, orphans: []),
            .due(at: 126, reaps: [7: .disconnected, 9: .disconnected]),
        ]
    ),
    Scenario(
        "a closed connection that pinged before counts from its last ping",
        [
            .register(7, connection: 1, at: 0), .ping(7, at: 10, answers: true), .close(1, at: 100, orphans: [7]),
            .due(at: 130, reaps: [:]), .due(at: 131, reaps: [7: .silent]),
        ]
    ),
    Scenario(
        "a process that is gone is due at once, also without a limit for silence",
        limits: neverForSilence,
        [
            .register(7, connection: 1, process: 41, at: 0), .register(8, connection: 1, process: 42, at: 0),
            .due(at: 1, reaps: [:]), .due(at: 2, dead: [41], reaps: [7: .processGone]),
            .due(at: 3, dead: [41], reaps: [:]),
            .ping(7, at: 4, answers: false),
        ]
    ),
    Scenario(
        "a later registration tells the process; nil keeps what was known",
        [
            .register(7, connection: 1, at: 0), .due(at: 1, dead: [41], reaps: [:]),
            .register(7, connection: 1, process: 41, at: 2), .register(7, connection: 1, at: 3),
            .due(at: 4, dead: [41], reaps: [7: .processGone]),
        ]
    ),
    Scenario(
        "no limit: silence, closed connections and the grace reap nobody",
        limits: neverForSilence,
        [
            .register(7, connection: 1, at: 0), .ping(7, at: 1, answers: true), .register(8, connection: 1, at: 0),
            .close(1, at: 2, orphans: [7, 8]), .due(at: 1_000_000, reaps: [:]),
        ]
    ),
    Scenario(
        "a restored registration has no connection and lives under the grace",
        [
            .register(7, connection: nil, at: 0), .close(1, at: 1, orphans: []), .due(at: 3600, reaps: [:]),
            .ping(7, at: 3600, answers: true), .due(at: 3721, reaps: [7: .silent]),
        ]
    ),
    Scenario(
        "activity of unknown ids registers nobody",
        [
            .active(7, connection: 1, at: 0), .due(at: 9999, reaps: [:]), .ping(7, at: 1, answers: false),
        ]
    ),
    Scenario(
        "time that runs backwards shortens nothing",
        [
            .register(7, connection: 1, at: 100), .ping(7, at: 50, answers: true), .due(at: 10, reaps: [:]),
            .due(at: 220, reaps: [:]), .due(at: 221, reaps: [7: .silent]),
        ]
    ),
]

@Suite struct WorkerLivenessTests {
    @Test(arguments: scenarios)
    private func followsTheEventTable(_ scenario: Scenario) {
        var liveness = WorkerLiveness(limits: scenario.limits)
        for (index, step) in scenario.steps.enumerated() { self.run(step, index, on: &liveness) }
    }

    private func run(_ step: Step, _ index: Int, on liveness: inout WorkerLiveness) {
        switch step {
        case .register(let id, let connection, let process, let time):
            liveness.registered(
                InstanceID(id),
                connection: connection.map { ConnectionID($0) },
                processID: process,
                now: .seconds(time)
            )
        case .unregister(let id):
            liveness.unregistered(InstanceID(id))
        case .active(let id, let connection, let time):
            liveness.active(InstanceID(id), connection: ConnectionID(connection), now: .seconds(time))
        case .ping(let id, let connection, let time, let expected):
            let answer = liveness.pinged(InstanceID(id), connection: ConnectionID(connection), now: .seconds(time))
            #expect(answer == expected, "step \(index)")
        case .close(let connection, let time, let expected):
            let orphans = liveness.connectionClosed(ConnectionID(connection), now: .seconds(time))
            #expect(orphans.map(\.rawValue) == expected, "step \(index)")
        case .due(let time, let dead, let expected):
            let reaped = liveness.due(now: .seconds(time)) { !dead.contains($0) }
            #expect(reaped.map(\.id.rawValue) == expected.keys.sorted(), "step \(index)")
            for entry in reaped { #expect(entry.reason == expected[entry.id.rawValue], "step \(index)") }
        }
    }

    @Test func tellsSilenceAndPingsOfTheReaped() {
        var liveness = WorkerLiveness(limits: .init(reapAfter: .seconds(120), registrationGrace: .seconds(3600)))
        liveness.registered(InstanceID(1), connection: nil, processID: nil, now: .seconds(5))
        liveness.registered(InstanceID(2), connection: nil, processID: nil, now: .seconds(5))
        _ = liveness.pinged(InstanceID(2), connection: ConnectionID(1), now: .seconds(10))
        #expect(liveness.trackedCount == 2)
        let reaped = liveness.due(now: .seconds(5000)) { _ in true }
        #expect(
            reaped == [
                .init(id: InstanceID(1), silentFor: .seconds(4995), hasPinged: false, reason: .neverPinged),
                .init(id: InstanceID(2), silentFor: .seconds(4990), hasPinged: true, reason: .silent),
            ]
        )
        #expect(liveness.trackedCount == 0)
    }

    @Test func remembersABoundedNumberOfUnknownIDsAndForgetsTheLongestSilent() {
        var liveness = WorkerLiveness(limits: .init(reapAfter: .seconds(120), registrationGrace: .seconds(3600)))
        let limit = WorkerLiveness.rememberedUnknownLimit
        #expect(liveness.pinged(InstanceID(-1), connection: ConnectionID(1), now: .zero) == false)
        for number in 0..<(3 * limit) {
            let now = Duration.milliseconds(number + 1)
            #expect(liveness.pinged(InstanceID(Int64(number)), connection: ConnectionID(2), now: now) == false)
            #expect(liveness.rememberedUnknownCount <= limit)
            // A real heartbeat goes on between the others, and is not pushed out by them.
            if number % 500 == 0 {
                #expect(liveness.pinged(InstanceID(-1), connection: ConnectionID(1), now: now) == true)
            }
        }
        #expect(liveness.pinged(InstanceID(-1), connection: ConnectionID(1), now: .seconds(60)) == true)
    }

    @Test func answersFalseOncePerLossUnderRandomEvents() {
        var random = SplitMix(seed: 20)
        var liveness = WorkerLiveness(limits: .init(reapAfter: .seconds(30), registrationGrace: .seconds(90)))
        var registered: Set<Int64> = []
        var told: Set<Int64> = []
        var now = 0
        for _ in 0..<20_000 {
            now += Int.random(in: 0...10, using: &random)
            let id = Int64.random(in: 0..<6, using: &random)
            let connection = ConnectionID(UInt64.random(in: 0..<4, using: &random))
            switch Int.random(in: 0..<8, using: &random) {
            case 0:
                liveness.registered(InstanceID(id), connection: connection, processID: 3, now: .seconds(now))
                registered.insert(id)
                told.remove(id)
            case 1:
                liveness.unregistered(InstanceID(id))
                registered.remove(id)
            case 2:
                _ = liveness.connectionClosed(connection, now: .seconds(now))
            case 3:
                let isAlive = Int.random(in: 0..<10, using: &random) > 0
                let reaped = liveness.due(now: .seconds(now)) { _ in isAlive }
                #expect(isAlive || reaped.count == registered.count)
                for entry in reaped { #expect(registered.remove(entry.id.rawValue) != nil) }
            default:
                let answer = liveness.pinged(InstanceID(id), connection: connection, now: .seconds(now))
                #expect(answer == (registered.contains(id) || !told.insert(id).inserted))
            }
            #expect(liveness.trackedCount == registered.count)
        }
    }
}

/// SplitMix64.
private struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { self.state = seed }

    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = self.state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}
