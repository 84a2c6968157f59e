// lmcache · SPDX-License-Identifier: Apache-2.0

import EngineKit
import Logging
import Telemetry
import Testing

@testable import ServerKit

/// Every metric that the documents list is fed by the running parts, not only announced.
@Suite struct LivePartsMetricsTests {
    @Test func processAndTransportFiguresAreExposed() throws {
        var configuration = ServerConfiguration()
        configuration.requests.instanceID = "metrics-test"
        configuration.requests.port = 0
        configuration.storage.poolGiB = 0.01
        configuration.storage.evictionPolicy = .leastRecentlyUsed
        let logs = LogSystem(configuration: LogConfiguration(level: .critical), write: { _ in })
        let parts = LiveParts(configuration: configuration, logs: logs)
        try parts.startEngine()
        _ = try parts.startRequests(on: ["tcp://127.0.0.1:*"])
        let text = parts.registry.exposition()
        parts.stopRequests()
        parts.stopEngine()
        #expect(text.contains("target_info{service_instance_id=\"metrics-test\""))
        #expect(text.contains("\nprocess_resident_memory_bytes "))
        #expect(text.contains("\nlmcache_mp_dropped_replies_total 0.0"))
        #expect(text.contains("lmcache_mp_l1_memory_usage_bytes{"))
    }
}
