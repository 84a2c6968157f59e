// lmcache · SPDX-License-Identifier: Apache-2.0

import L2Storage
import Telemetry
import Testing

@testable import EngineKit

@Suite struct AdapterSettingsTests {
    @Test func everyKindIsPlannedFromItsKeys() throws {
        let texts = [
            #"{"type":"fs","base_path":"/data/kv"}"#,
            #"{"type":"fs_native","base_path":"/data/kv","num_workers":2,"max_capacity_gb":1,"eviction":{"eviction_policy":"LRU"}}"#,
            #"{"type":"mock","max_size_gb":1,"mock_bandwidth_gb":5}"#,
            #"{"type":"fault_inject","inner":{"type":"mock","max_size_gb":1},"rate":0.5,"seed":7}"#,
        ]
        let plans = try AdapterSettings.plans(texts)
        #expect(plans.map(\.configuration.type) == ["fs", "fs_native", "mock", "fault_inject"])
        #expect(plans[1].configuration.eviction?.policy == .leastRecentlyUsed)
    }

    @Test(arguments: [
        (#"{"#, "at byte"), (#"[]"#, "a JSON object"), (#"{"type":"nixl_store"}"#, "is not supported"),
        (#"{"type":"fss","base_path":"/x"}"#, "did you mean 'fs'?"), (#"{"type":"fs"}"#, "'base_path' is missing"),
        (#"{"type":"mock","max_size_gb":1,"max_size":2}"#, "unknown key 'max_size'"),
        (#"{"type":"mock","max_size_gb":1,"affinity_tag":"other"}"#, "'affinity_tag'"),
        (#"{"type":"mock","max_size_gb":1,"serde":{"type":"fp8"}}"#, "'serde'"),
        (#"{"type":"fault_inject"}"#, "'inner' is missing"),
        (#"{"type":"fault_inject","inner":{"type":"mock"}}"#, "'max_size_gb' is missing"),
        (#"{"type":"fault_inject","inner":{"type":"mock","max_size_gb":1},"rate":2}"#, "'rate' is 2"),
    ])
    func aBadAdapterIsNamed(text: String, reason: String) {
        let good = #"{"type":"mock","max_size_gb":1}"#
        let error = #expect(throws: ConfigurationError.self) { try AdapterSettings.plans([good, text]) }
        #expect(error?.setting == "--l2-adapter")
        #expect(error?.description.contains(reason) == true, "\(error?.description ?? "")")
        #expect(error?.description.contains("\n") == false)
    }

    @Test func secretsAreNotShown() throws {
        let text = #"{"type":"fs","base_path":"/x","password":"hunter2","inner":{"aws_secret_access_key":"k"}}"#
        let error = #expect(throws: ConfigurationError.self) { try AdapterSettings.plans([text]) }
        #expect(error?.description.contains("hunter2") == false)
        #expect(error?.description.contains("***") == true)
        var storage = StorageSettings()
        storage.l2Adapters = [text, #"{"type":"mock","max_size_gb":1}"#]
        let shown = storage.json(ObservabilitySettings(), sharedMemoryName: "").serialized()
        #expect(!shown.contains("hunter2") && !shown.contains("\"k\""))
        #expect(shown.contains(#"{"type":"mock","max_size_gb":1,"affinity_tag":"_default"}"#))
    }

    @Test func adaptersStartAndSayWhyNot() throws {
        let plan = try #require(try AdapterSettings.plans([#"{"type":"mock","max_size_gb":1}"#]).first)
        let adapter = try plan.start(AdapterSurroundings())
        #expect(adapter.kind == "mock")
        #expect(adapter.close(milliseconds: 1000))
        let bad = try #require(try AdapterSettings.plans([#"{"type":"fs","base_path":"/dev/null/x"}"#]).first)
        let error = #expect(throws: AdapterStartError.self) { try bad.start(AdapterSurroundings()) }
        #expect(error?.description.hasPrefix("/dev/null/x: ") == true)
    }
}
