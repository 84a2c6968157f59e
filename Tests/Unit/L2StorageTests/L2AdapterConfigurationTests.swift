// lmcache · SPDX-License-Identifier: Apache-2.0

import L2Storage
import Telemetry
import Testing

@Suite struct L2AdapterConfigurationTests {
    private func parse(_ value: JSONValue) throws(L2ConfigurationError) -> L2AdapterConfiguration {
        try L2AdapterConfiguration(value, types: ["fs", "fs_native", "mock"])
    }

    @Test func givesTheDefaults() throws {
        let configuration = try self.parse(["type": "mock", "max_size_gb": 0.5])
        #expect(configuration.affinityTag == "_default")
        #expect(!configuration.isShared)
        #expect(configuration.isPersistEnabled)
        #expect(configuration.eviction == nil)
        #expect(try MemoryConfiguration(configuration).capacityBytes == 536_870_912)
    }

    @Test func readsTheEvictionBlock() throws {
        let configuration = try self.parse([
            "type": "fs", "eviction": ["eviction_policy": "LRU", "trigger_watermark": 0.5],
        ])
        #expect(configuration.eviction?.policy == .leastRecentlyUsed)
        #expect(configuration.eviction?.triggerWatermark == 0.5)
        #expect(configuration.eviction?.evictionRatio == 0.2)
    }

    private static let mistakes: [(JSONValue, String)] = [
        ([:], "'type' is missing"),
        ("fs", "accepted is a JSON object"),
        (["type": "fs_nativ"], "did you mean 'fs_native'?"),
        (["type": "aerospike"], "is not supported"),
        (.object([("type", "mock"), ("type", "mock")]), "given twice"),
        (["type": "mock", "shared": 1], "'shared' is 1, accepted is true or false"),
        (["type": "mock", "max_size_gb": 1, "afinity_tag": "x"], "did you mean 'affinity_tag'?"),
        (["type": "mock", "max_size_gb": 1, "zzz": 1], "unknown key 'zzz'; accepted: affinity_tag"),
        (["type": "mock", "max_size_gb": -1], "accepted is a number from 0"),
        (["type": "mock", "max_size_gb": 1, "serde": ["type": "x"]], "'serde'"),
        (["type": "mock", "eviction": ["eviction_policy": "FIFO"]], "one of LRU, IsolatedLRU, noop"),
        (["type": "mock", "eviction": ["eviction_polisy": "LRU"]], "'eviction_policy' is missing"),
        (["type": "mock", "eviction": ["eviction_policy": "LRU", "ratio": 1]], "unknown key 'ratio'"),
    ]

    @Test(arguments: mistakes)
    func saysWhatIsWrong(_ value: JSONValue, _ words: String) {
        let error = #expect(throws: L2ConfigurationError.self) { _ = try MemoryConfiguration(self.parse(value)) }
        #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
    }

    @Test func aManifestSurvivesItsJSONAndNamesTheDifference() throws {
        let manifest = L2NamespaceManifest(
            modelName: "a/b", layoutSignature: "chunk 256; 2x16x8:bfloat16", hashAlgorithm: "blake3")
        #expect(try L2NamespaceManifest(json: manifest.json) == manifest)
        #expect(manifest.conflict(with: manifest) == nil)
        let other = L2NamespaceManifest(modelName: "a/b", layoutSignature: "chunk 16", hashAlgorithm: "blake3")
        #expect(manifest.conflict(with: other) == "layout")
        #expect(throws: L2ConfigurationError.self) { _ = try L2NamespaceManifest(json: ["format": 2]) }
    }
}
