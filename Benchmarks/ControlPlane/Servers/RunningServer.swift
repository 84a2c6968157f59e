// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheProtocol
import Glibc

/// A started server, ready to serve.
final class RunningServer {
    let program: ServerProgram
    let ports: ServerPorts
    /// From the start of the process until its request socket and its HTTP side answered.
    let startTime: Duration
    private let process: ChildProcess
    private let poolName: String
    /// Kept when the server does not start.
    private let log: String

    init(_ program: ServerProgram, poolGigabytes: Int) throws {
        self.program = program
        self.ports = ServerPorts(request: try LoopbackSocket.freePort(), http: try LoopbackSocket.freePort())
        self.poolName = "benchmark_\(getpid())_\(self.ports.request)"
        self.log = "/tmp/lmcache-benchmark-\(getpid()).log"
        setenv("LMCACHE_TRACK_USAGE", "false", 1)
        setenv("HF_HUB_OFFLINE", "1", 1)
        let arguments = program.arguments(ports: self.ports, poolGigabytes: poolGigabytes, poolName: self.poolName)
        let began = ContinuousClock.now
        self.process = try ChildProcess(arguments, log: self.log)
        do {
            try Self.waitUntilReady(self.process, program, self.ports, log: self.log)
        } catch {
            self.process.stop()
            throw error
        }
        self.startTime = ContinuousClock.now - began
    }

    /// Memory beside the pool, in bytes: anonymous and file pages, without shared ones.
    func residentBytes() throws -> Int {
        guard let bytes = ProcessStatus(reading: self.process.id)?.residentBytesBesidePool else {
            throw BenchmarkError.unexpected("the status of process \(self.process.id) cannot be read")
        }
        return bytes
    }

    func stop() {
        self.process.stop()
        unlink(self.log)
        // What a killed server leaves behind.
        shm_unlink("/lmcache_l1_pool_" + self.poolName)
    }

    static func stopOnSignals() { ChildProcess.stopOnSignals() }

    private static func waitUntilReady(
        _ process: ChildProcess, _ program: ServerProgram, _ ports: ServerPorts, log: String
    ) throws {
        let deadline = ContinuousClock.now + .seconds(90)
        func wait(_ what: String, _ probe: () -> Bool) throws {
            while !probe() {
                if let status = process.exitStatus() {
                    throw BenchmarkError.notStarted(server: program.name, log: log, reason: "it ended with \(status)")
                }
                if ContinuousClock.now > deadline {
                    throw BenchmarkError.notStarted(server: program.name, log: log, reason: "\(what) does not answer")
                }
                usleep(1_000)
            }
        }
        // Connecting first keeps the client's pauses between attempts out of the figure.
        try wait("the request port") { LoopbackSocket.accepts(port: ports.request) }
        let client = try CacheClient(port: ports.request)
        _ = try client.call(.getChunkSize, [])
        try wait("HTTP") { LoopbackSocket.answersOK(port: ports.http, path: "/healthcheck") }
    }
}
