// lmcache · SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheService
import EngineKit
import KVModel
import L1Cache
import Telemetry
import Testing

@testable import InProcessConfiguration

@Suite struct InProcessConfigurationTests {
    private func resolved(_ document: String) throws -> JSONValue {
        try InProcessConfiguration(document: document).json
    }

    @Test func anEmptyDocumentMeansTheDefaults() throws {
        let json = try self.resolved("")
        #expect(json["chunk_size"] == 256)
        #expect(json["max_local_cpu_size"] == 5.0)
        #expect(json["local_cpu"] == true)
        #expect(json["use_layerwise"] == false)
        #expect(json["remote_url"] == .null)
        #expect(json["notices"] == [])
    }

    @Test func knowsEveryKeyOnce() {
        #expect(ConfigurationKeys.all.count == ConfigurationKeys.byName.count)
        #expect(ConfigurationKeys.all.count == 108)
        for key in ConfigurationKeys.all where key.standard != .null {
            #expect(key.kind.checked(key.standard) == key.standard, "\(key.name)")
        }
        for (old, new) in ConfigurationKeys.renamed {
            #expect(ConfigurationKeys.byName[old] == nil && ConfigurationKeys.byName[new] != nil, "\(old)")
        }
    }

    @Test func laterLayersWin() throws {
        let document = """
            {"file": "chunk_size: 16\\nmax_local_cpu_size: 2\\nsave_decode_cache: true\\n", "file_name": "c.yaml",
             "environment": {"LMCACHE_CHUNK_SIZE": "'\\"32\\"'", "LMCACHE_MAX_LOCAL_CPU_SIZE": "3.5", "HOME": "/",
                             "LMCACHE_LOG_LEVEL": "INFO", "LMCACHE_LOCAL_DISK": ""},
             "overlay": {"lmcache.chunk_size": "64", "min_retrieve_tokens": 5}}
            """
        let json = try self.resolved(document)
        #expect(json["chunk_size"] == 64)
        #expect(json["max_local_cpu_size"] == 3.5)
        #expect(json["save_decode_cache"] == true)
        #expect(json["min_retrieve_tokens"] == 5)
        #expect(json["local_disk"] == .null)
    }

    @Test(arguments: [
        ("chunk_sise: 1", "configuration: unknown key 'chunk_sise' (did you mean 'chunk_size'?)"),
        ("chunk_size: abc", #"configuration: 'chunk_size' is "abc", accepted is a whole number from 1 to 1048576"#),
        ("chunk_size: 0", "configuration: 'chunk_size' is 0, accepted is a whole number from 1 to 1048576"),
        ("chunk_size: true", "configuration: 'chunk_size' is true, accepted is a whole number from 1 to 1048576"),
        ("local_cpu: 'yes'", #"configuration: 'local_cpu' is "yes", accepted is true or false"#),
        (
            "local_cpu: false",
            "'local_cpu' is false and neither 'local_disk' nor 'remote_url' is set: nothing could be cached"
        ),
        ("enable_blending: true", "configuration: 'enable_blending' is not supported: CacheBlend"),
        ("cache_policy: LFU", #"configuration: 'cache_policy' is "LFU", accepted is LRU"#),
        ("- a\n- b", "configuration: accepted is a mapping of keys to values"),
        ("a: [", "configuration, line 1: no YAML: did not find expected node content"),
        ("local_disk: /d", "'local_disk' is set and 'max_local_disk_size' is not: accepted is a number of GiB above 0"),
        (#"{"file": "no: [", "file_name": "x.yaml"}"#, "x.yaml, line 1: no YAML: did not find expected node content"),
        (
            #"{"environment": {"LMCACHE_CHUNK_SIZE": "abc"}}"#,
            #"LMCACHE_CHUNK_SIZE is "abc", accepted is a whole number from 1 to 1048576"#
        ),
        (
            #"{"environment": {"LMCACHE_CHUNK_SIZ": "1"}}"#,
            "LMCACHE_CHUNK_SIZ is no key of the configuration: 'chunk_siz' (did you mean 'chunk_size'?)"
        ),
        (
            #"{"environment": {"LMCACHE_ENABLE_XPYD": "true"}}"#,
            "LMCACHE_ENABLE_XPYD is not supported: prefill and decode in separate engines"
        ),
        (
            #"{"overlay": {"lmcache.local_cpus": true}}"#,
            "kv_connector_extra_config: unknown key 'local_cpus' (did you mean 'local_cpu'?)"
        ),
        (#"{"rank": -1}"#, "'rank' is -1, accepted is a whole number from 0 on"),
        (
            "remote_url: lm://h:1",
            "'remote_url' with lm:// is not supported; accepted is redis://[USER:PASSWORD@]HOST[:PORT], s3://BUCKET.HOST or fs:///PATH"
        ),
        (
            "remote_url: 'redis://u:secret@h:99999'",
            #"'remote_url' is "h:99999", accepted is redis://[USER:PASSWORD@]HOST[:PORT], s3://BUCKET.HOST or fs:///PATH"#
        ),
    ])
    func refusesInOneLine(_ document: String, _ text: String) {
        let error = #expect(throws: InProcessConfigurationError.self) { try InProcessConfiguration(document: document) }
        #expect(error?.description == text)
    }

    @Test(arguments: [
        (
            "local_disk: [/a, 'file:///b']\nmax_local_disk_size: 2", 0,
            #"{"type":"fs","base_path":"/a","max_capacity_gb":2.0,"eviction":{"eviction_policy":"LRU"}}"#
        ),
        (
            "local_disk: '/a,/b'\nmax_local_disk_size: 2", 3,
            #"{"type":"fs","base_path":"/b/rank_3","max_capacity_gb":2.0,"eviction":{"eviction_policy":"LRU"}}"#
        ),
        ("remote_url: redis://cache", 0, #"{"type":"resp","host":"cache","port":6379}"#),
        (
            "remote_url: 'redis://u:p:w@[::1]:7000/'", 0,
            #"{"type":"resp","host":"::1","port":7000,"username":"u","password":"p:w"}"#
        ),
        (
            "remote_url: s3://b.s3.example\nextra_config: {s3_region: eu, disable_tls: true}", 0,
            #"{"type":"s3","s3_endpoint":"b.s3.example","s3_region":"eu","disable_tls":true}"#
        ),
        ("remote_url: fs:///shared/kv", 0, #"{"type":"fs","base_path":"/shared/kv"}"#),
    ])
    func diskAndRemoteBecomeSecondTiers(_ yaml: String, _ rank: Int, _ adapter: String) throws {
        let document = JSONValue.object([("file", .string(yaml)), ("rank", .integer(rank))]).serialized()
        let values = try LayeredValues(ConfigurationLayers(document: document)).values
        #expect(try SecondTierAdapters(values: values, rank: rank).texts() == [adapter])
    }

    @Test func adaptersAreCheckedAndSharedStoresAreForOneWorker() throws {
        #expect(try InProcessConfiguration(document: "local_disk: /a\nmax_local_disk_size: 1").plans.count == 1)
        let error = #expect(throws: InProcessConfigurationError.self) {
            try InProcessConfiguration(document: #"{"file": "remote_url: redis://h", "rank": 1}"#)
        }
        #expect(error?.description.hasPrefix("'remote_url' of a shared store is not supported with several") == true)
    }

    @Test func saysWhatHasNoEffect() throws {
        let configuration = try InProcessConfiguration(document: "py_enable_gc: false\nplugin_locations: null")
        #expect(
            configuration.notices == [
                "configuration: 'plugin_locations' is an old name of 'runtime_plugin_locations'",
                "configuration: 'py_enable_gc' has no effect: the cache has no Python objects",
            ])
    }

    @Test func settingsFollow() throws {
        let settings = try InProcessConfiguration(
            document: "chunk_size: 32\nmax_local_cpu_size: 0.5\npin_timeout_sec: 7"
        )
        .instanceSettings(directConnection: .init(9))
        #expect(settings.first.capacityBytes == 1 << 29)
        #expect(!settings.first.isSharedByName)
        #expect(settings.first.isOfferedByAddress)
        #expect(settings.engine.chunkSize == 32)
        #expect(settings.engine.sessionTimeToLive == .seconds(7))
        #expect(settings.directConnection == .init(9))
    }
}
