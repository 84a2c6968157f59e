// lmcache · SPDX-License-Identifier: Apache-2.0

import Glibc
import KVModel
import NativeThreads
import Testing

@testable import ZMQTransport

/// A server that was stopped for longer than an engine's heartbeat waits must not carry out what piled up.
@Suite(.serialized) struct StallRegressionTests {
    /// Frames and staleness of what was received, and a server whose first message waits for the gate.
    private struct Scene {
        let gate = Watched(false)
        let clock = Watched(Duration.seconds(1))
        let seen = Watched<[(frame: UInt8, isStale: Bool)]>([])
        let running: RunningServer
        let peer: RawPeer

        init() throws {
            let (gate, clock, seen) = (self.gate, self.clock, self.seen)
            let receiver = TestReceiver { message, server in
                seen.update { $0.append((message.frames[0].first ?? 0, message.isStale)) }
                if message.frames == [[9]] { _ = gate.wait { $0 } }
                server.send(message.frames, to: message.connection)
            }
            self.running = try RunningServer(receiver: receiver, uptime: { clock.current })
            self.peer = try RawPeer(endpoint: self.running.endpoint)
            self.peer.handshake()
        }

        func send(_ frames: [UInt8]) { self.peer.write(frames.flatMap { RawPeer.encoded([[$0]]) }) }
    }

    @Test func whatWaitedDuringAStallIsStale() throws {
        let scene = try Scene()
        // One write, so that the library hands all of them over at once.
        scene.send([9, 1, 2])
        #expect(scene.seen.wait { $0.map(\.frame) == [9] })
        scene.send([3])
        scene.clock.update { $0 += .seconds(6) }
        scene.gate.update { $0 = true }
        #expect(scene.seen.wait { $0.count == 4 })
        scene.send([4])
        #expect(scene.seen.wait { $0.count == 5 })
        #expect(scene.seen.current.map(\.isStale) == [false, true, true, true, true])
        #expect(scene.running.server.statistics().stalls == 1)
        scene.clock.update { $0 += StallWatch.settling }
        // Two ticks: in between the socket was searched at the new time.
        let ticks = scene.running.receiver.record.current.ticks
        #expect(scene.running.receiver.record.wait { $0.ticks >= ticks + 2 })
        scene.send([5])
        #expect(scene.seen.wait { $0.count == 6 })
        #expect(scene.seen.current.last?.isStale == false)
    }

    /// Its sender would wait for minutes: nobody else can answer.
    @Test func stopAnswersWhatWasReceivedAndWhatTheSocketHolds() throws {
        let scene = try Scene()
        scene.send([9, 1, 2])
        #expect(scene.seen.wait { $0.map(\.frame) == [9] })
        scene.send([3, 4])
        let server = scene.running.server
        let thread = NativeThread(name: "stopper") { @Sendable in server.stop() }
        // A message for nobody is counted at once when the server is stopping, else by the thread that is held.
        while server.statistics().droppedGone == 0 {
            server.send([[1]], to: ConnectionID(999))
            sched_yield()
        }
        scene.gate.update { $0 = true }
        thread.join()
        #expect(scene.seen.current.map(\.frame) == [9, 1, 2, 3, 4])
        #expect(server.statistics().messagesSent == 5)
        #expect(server.statistics().messagesAbandoned == 0)
    }

    @Test func aClientThatNeverStopsSendingDoesNotHoldTheStopUp() throws {
        let receiver = TestReceiver { message, server in server.send(message.frames, to: message.connection) }
        let running = try RunningServer(receiver: receiver)
        let endpoint = running.endpoint
        let isOver = Watched(false)
        let thread = NativeThread(name: "flood") { @Sendable in
            guard let client = try? DealerClient(endpoint: endpoint) else { return }
            while !isOver.current {
                guard (try? client.send([[1]])) != nil else { return }
                _ = try? client.receive(timeoutMilliseconds: 0)
            }
        }
        #expect(receiver.record.wait { $0.events.count > 10 })
        let begin = MonotonicTime.now()
        running.stop()
        #expect(MonotonicTime.now() - begin < .seconds(5))
        isOver.update { $0 = true }
        thread.join()
    }
}
