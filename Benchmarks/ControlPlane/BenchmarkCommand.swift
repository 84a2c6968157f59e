// lmcache · SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Glibc

/// `lmcache-benchmark`: our server and LMCache 0.5.6 over the same raw client, and our copies beside memcpy.
struct BenchmarkCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lmcache-benchmark",
        abstract: "Measure our server and LMCache 0.5.6 in one run.",
        discussion: """
            Starts one server at a time on free ports, measures it over ZeroMQ and stops it. Prints one table.
            """
    )

    @Option(help: "Our program; environment: LMCACHE_BENCHMARK_OURS. Default: .build/release/lmcache")
    var ours: String?

    @Option(
        help: """
            LMCache 0.5.6's program; environment: LMCACHE_BENCHMARK_ORIGINAL. \
            Default: $LMCACHE_PEERS_DIR/vllm/bin/lmcache, as peers/setup-vllm leaves it
            """
    )
    var original: String?

    @Option(help: "What to run, comma-separated: ours, original, copy.")
    var parts: String = "original,ours,copy"

    @Option(help: "Seconds for each figure at most.")
    var seconds: Double = 8

    @Option(help: "Requests for each latency figure at most.")
    var requests: Int = 2_000

    @Option(help: "Starts of each server; the median counts.")
    var starts: Int = 3

    @Option(help: "Objects to fill the cache with; 0 skips it.")
    var objects: Int = 100_000

    @Flag(help: "Print the table as Markdown.")
    var markdown = false

    mutating func validate() throws {
        guard self.seconds > 0, self.seconds <= 60 else {
            throw ValidationError("--seconds must be above 0, at most 60")
        }
        guard self.requests > 0, self.starts > 0, (0...1_000_000).contains(self.objects) else {
            throw ValidationError("--requests and --starts must be positive, --objects at most 1000000")
        }
        for part in self.wanted where !["ours", "original", "copy"].contains(part) {
            throw ValidationError("--parts: \(part) is not one of ours, original, copy")
        }
    }

    mutating func run() throws {
        RunningServer.stopOnSignals()
        let limits = Limits(
            duration: .seconds(self.seconds), requestCount: self.requests, startCount: self.starts,
            objectCount: self.objects)
        var comparison = Comparison()
        if self.wanted.contains("original") {
            comparison.original = try measure(.original(self.originalProgram), limits)
        }
        if self.wanted.contains("ours") { comparison.ours = try measure(.ours(self.oursProgram), limits) }
        if self.wanted.contains("copy") { comparison.copies = try CopyMeasurement.run(roundCount: 60) }
        let table = ComparisonTable(rows: comparison.rows)
        print(self.markdown ? table.markdown : table.text)
    }

    private var wanted: [String] { self.parts.split(separator: ",").map(String.init) }

    private var oursProgram: String {
        self.ours ?? environmentValue("LMCACHE_BENCHMARK_OURS") ?? ".build/release/lmcache"
    }

    private var originalProgram: String {
        if let given = self.original ?? environmentValue("LMCACHE_BENCHMARK_ORIGINAL") { return given }
        return (environmentValue("LMCACHE_PEERS_DIR") ?? ".peers") + "/vllm/bin/lmcache"
    }
}

/// How long and how often to measure.
struct Limits {
    let duration: Duration
    let requestCount: Int
    let startCount: Int
    let objectCount: Int
}

private func measure(_ program: ServerProgram, _ limits: Limits) throws -> ServerFigures {
    var figures = ServerFigures()
    for _ in 0..<limits.startCount {
        report("\(program.name): start with a pool of \(program.startPoolGigabytes) GB")
        let server = try RunningServer(program, poolGigabytes: program.startPoolGigabytes)
        figures.starts.append(server.startTime)
        server.stop()
    }
    let server = try RunningServer(program, poolGigabytes: program.poolGigabytes)
    defer { server.stop() }
    try ServerMeasurement(server: server, limits: limits).run(&figures)
    return figures
}

private func environmentValue(_ name: String) -> String? {
    guard let value = getenv(name) else { return nil }
    let text = String(cString: value)
    return text.isEmpty ? nil : text
}

/// Progress goes to standard error, so that the table stays alone on standard output.
func report(_ line: String) {
    let bytes = Array((line + "\n").utf8)
    _ = bytes.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
}
