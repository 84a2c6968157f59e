// lmcache · SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Telemetry
import Testing

@testable import lmcache

struct DescriptionTests {
    private func document(_ text: String) throws -> JSONValue {
        try JSONDecoder().decode(JSONDocument.self, from: Data(text.utf8)).value
    }

    @Test func cacheReportShowsPoolAndModels() throws {
        let status = try self.document(
            """
            {"is_healthy":true,"engine_type":"MPCacheServer","chunk_size":16,"active_sessions":2,"storage_manager":{
            "l1_manager":{"memory_total_bytes":2147483648,"memory_used_bytes":1073741824,"memory_usage_ratio":0.5,
            "total_object_count":7},"l1_eviction_controller":{"eviction_policy":"LRU"},"l2_adapters":[
            {"type":"FSL2Adapter","is_healthy":false,"base_path":"/data"}]},"cache_context_meta":{
            "1000":{"model_name":"m","world_size":2,"kv_cache_layout":{"num_layers":4,"num_blocks":256,
            "cache_size_per_token":16384,"kernel_groups":[{"kernel_group_idx":0,"num_layers":4,"is_mla":false}]}},
            "999":{"model_name":"m","world_size":2}}}
            """
        )
        let report = CacheDescription.report(status, url: "http://h:1")
        let text = report.terminalText
        for line in [
            "Health:                                         OK", "L1 capacity (GB):                             2.00",
            "L1 used (GB):                         1.00 (50.0%)", "Eviction policy:                               LRU",
            "GPU IDs:                                 999, 1000", "-------------------- Model: m --------------------",
            "Base path:                                   /data", "Health:                                  UNHEALTHY",
        ] {
            #expect(text.contains(line + "\n"), "\(line)\n\(text)")
        }
        let json = try self.document(report.jsonText)
        #expect(json["title"] == "LMCache KV Cache Service")
        #expect(json["metrics"]?["chunk_size"] == 16)
        #expect(json["metrics"]?["l1_capacity_gb"] == .integer(2) || json["metrics"]?["l1_capacity_gb"] == .double(2))
    }

    @Test func missingFieldsShowAsNotAvailable() {
        let text = CacheDescription.report(.object([]), url: "u").terminalText
        #expect(text.contains("Health:                                        N/A\n"))
        #expect(text.contains("Eviction policy:                               N/A\n"))
        #expect(CacheDescription.report(.string("?"), url: "u").entries.count == 9)
    }

    @Test func engineReportAddsUpRunningRequests() throws {
        let models = try self.document(#"{"data":[{"id":"m","max_model_len":4096}]}"#)
        let metrics = """
            # HELP vllm:num_requests_running x
            vllm:num_requests_running{engine="0",model_name="m"} 2.0
            vllm:num_requests_running{engine="1",model_name="a b}"} 3.0
            vllm:num_requests_running_total 9
            """
        let report = EngineDescription.report(models: models, isHealthy: true, metrics: metrics)
        #expect(report.entries.map(\.value) == ["m", 4096, "OK", 5])
        let empty = EngineDescription.report(models: .null, isHealthy: false, metrics: nil)
        #expect(empty.entries.map(\.value) == [.null, .null, "UNHEALTHY", .null])
        #expect(EngineDescription.sum(of: "x", in: "x 1e400\nx nan\ny 1") == nil)
    }

    @Test func decoderSurvivesDepth() {
        let deep = String(repeating: "[", count: 100_000)
        #expect(throws: (any Error).self) { try self.document(deep) }
    }
}
