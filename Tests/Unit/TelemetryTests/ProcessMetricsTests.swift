// lmcache · SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Telemetry

@Suite struct ProcessMetricsTests {
    private let reader = ProcessReader(ticksPerSecond: 100, pageBytes: 4096, bootSeconds: 1000)

    @Test func readsFieldsPastAHostileName() {
        let text = "7 (a) b) 1) S 1 7 7 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 1 0 500 1000000 25 99 1"
        #expect(
            self.reader.reading(ofStat: text)
                == ProcessReader.Reading(
                    residentBytes: 102_400,
                    virtualBytes: 1_000_000,
                    cpuSeconds: 2,
                    startSeconds: 1005
                )
        )
    }

    @Test(arguments: ["", "7", "7 (a)", "7 (a) S x y", ")"])
    func shortOrOddTextGivesNothing(text: String) {
        #expect(self.reader.reading(ofStat: text) == ProcessReader.Reading())
    }

    @Test func thisProcessHasMemoryAndDescriptors() throws {
        let registry = MetricsRegistry()
        ProcessMetrics.register(in: registry, instanceID: "node-1", version: "9")
        var values: [Substring: Double] = [:]
        for line in registry.exposition().split(separator: "\n") where !line.hasPrefix("#") {
            let parts = line.split(separator: " ")
            values[parts[0]] = Double(parts[1])
        }
        #expect(try #require(values["process_resident_memory_bytes"]) > 1_000_000)
        #expect(try #require(values["process_start_time_seconds"]) > 1_600_000_000)
        #expect(try #require(values["process_open_fds"]) >= 1)
        let target = try #require(values.first { $0.key.hasPrefix("target_info{") })
        #expect(target.key.contains("service_instance_id=\"node-1\""))
        #expect(target.value == 1)
    }
}
