// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheProtocol
import Glibc

/// All figures of one running server.
struct ServerMeasurement {
    private static let loadPrompts = Workload.loadClients
    private let server: RunningServer
    private let limits: Limits
    private let client: CacheClient

    init(server: RunningServer, limits: Limits) throws {
        self.server = server
        self.limits = limits
        self.client = try CacheClient(port: server.ports.request)
    }

    func run(_ figures: inout ServerFigures) throws {
        usleep(1_000_000)  // lets start-up work settle
        figures.idleBytes = try self.server.residentBytes()
        self.say("noop, ping")
        let noop = [CacheOperation.noop.encodedFrame()]
        figures.noop = try self.latencies { try self.client.exchange(noop, .noop) }
        figures.ping = try self.latencies { try self.ping() }
        let worker = try StoringWorker(port: self.server.ports.request)
        for prompt in 0..<Self.loadPrompts {
            let tokens = Workload.prompt(prompt, tokenCount: Workload.longPrompt)
            try worker.store(tokens, requestID: "store-\(prompt)")
        }
        usleep(200_000)  // LMCache 0.5.6 shows new objects a little after the store's reply
        self.say("lookup and wait of \(Workload.longPrompt) tokens")
        let chunks = Workload.longPrompt / Workload.chunkSize
        (figures.hit, figures.hitSession) = try self.lookups(prompt: 0, prefix: 1, expectedChunks: chunks)
        (figures.miss, _) = try self.lookups(prompt: 1_000_000, prefix: 2, expectedChunks: 0)
        try self.measureUnderLoad(&figures)
        try self.fill(worker, &figures)
        try worker.unregister()
    }

    private func say(_ text: String) { report("\(self.server.program.name): \(text)") }

    private func ping() throws {
        let payloads = PingRequest(instance: nil).encodedPayloads()
        guard try BoolReply(frame: try self.client.call(.ping, payloads)).value else {
            throw BenchmarkError.unexpected("a ping without an instance was answered with false")
        }
    }

    /// Calls `body` until the limits are reached; every call counts but the first ten.
    private func latencies(pauseMicroseconds: UInt32 = 0, _ body: () throws -> Void) throws -> LatencySeries {
        for _ in 0..<10 { try body() }
        var series = LatencySeries()
        let end = ContinuousClock.now + self.limits.duration
        while series.count < self.limits.requestCount {
            let began = ContinuousClock.now
            if began > end { break }
            try body()
            series.append(ContinuousClock.now - began)
            if pauseMicroseconds > 0 { usleep(pauseMicroseconds) }
        }
        return series
    }

    /// Times from the lookup's first byte to the wait's result, and to the end of the session.
    private func lookups(
        prompt: Int, prefix: Int, expectedChunks: Int
    ) throws -> (found: LatencySeries, ended: LatencySeries) {
        let tokens = Workload.prompt(prompt, tokenCount: Workload.longPrompt)
        var cycle = LookupCycle(
            client: self.client, prefix: prefix, tokens: tokens, expectedChunks: expectedChunks)
        var found = LatencySeries()
        var ended = LatencySeries()
        let end = ContinuousClock.now + self.limits.duration
        for round in 0..<self.limits.requestCount + 10 {
            let began = ContinuousClock.now
            if began > end { break }
            try cycle.begin()
            while try !cycle.advance() {}
            let result = ContinuousClock.now
            try cycle.finish()
            try cycle.awaitEnd()
            if round < 10 { continue }  // warms up
            found.append(result - began)
            ended.append(ContinuousClock.now - began)
        }
        return (found, ended)
    }

    private func measureUnderLoad(_ figures: inout ServerFigures) throws {
        self.say("\(Workload.loadClients) clients looking up \(Workload.shortPrompt) tokens")
        let load = LookupLoad(
            port: self.server.ports.request, clientCount: Workload.loadClients,
            expectedChunks: Workload.shortPrompt / Workload.chunkSize)
        try load.run {
            usleep(500_000)
            let before = load.completedCount
            let began = ContinuousClock.now
            figures.pingUnderLoad = try self.latencies(pauseMicroseconds: 2_000) { try self.ping() }
            let seconds = (ContinuousClock.now - began) / .seconds(1)
            figures.lookupsPerSecond = Double(load.completedCount - before) / seconds
        }
    }

    /// Stores until the wanted number of objects or a minute is reached.
    private func fill(_ worker: StoringWorker, _ figures: inout ServerFigures) throws {
        let chunks = Workload.longPrompt / Workload.chunkSize
        var objectCount = Self.loadPrompts * chunks
        guard self.limits.objectCount > objectCount else { return }
        self.say("filling with \(self.limits.objectCount) objects")
        let end = ContinuousClock.now + .seconds(60)
        var number = Self.loadPrompts
        while objectCount < self.limits.objectCount, ContinuousClock.now < end {
            let tokens = Workload.prompt(number, tokenCount: Workload.longPrompt)
            try worker.store(tokens, requestID: "store-\(number)")
            objectCount += chunks
            number += 1
        }
        usleep(1_000_000)
        figures.filled = ServerFigures.Filled(objectCount: objectCount, bytes: try self.server.residentBytes())
    }
}
