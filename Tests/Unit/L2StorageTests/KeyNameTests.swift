// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import L2Conformance
import L2Storage
import Testing

@Suite struct KeyNameTests {
    private static let hash = ChunkHash(
        words: (0x0011_2233_4455_6677, 0x8899_AABB_CCDD_EEFF, 0x0011_2233_4455_6677, 0x8899_AABB_CCDD_EEFF))
    private static let hex = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

    private static func key(_ model: String, group: Int = 0, salt: String = "") -> ObjectKey {
        ObjectKey(
            chunkHash: Self.hash, modelName: model, kvRank: KVRank(rawValue: 0x0201_0201), objectGroup: group,
            cacheSalt: salt)
    }

    @Test func spellsEveryMediumAsTheOriginalDoes() {
        let key = Self.key("meta-llama/Llama-3.1-8B", group: 26, salt: "tenantA")
        let fields = "02010201@1a@\(Self.hex)@tenantA"
        #expect(FileKeyName.spelled(key) == "meta-llama-SEP-Llama-3.1-8B@0x\(fields).data")
        #expect(NativeKeyName.spelled(key) == "meta-llama/Llama-3.1-8B@\(fields)")
        #expect(
            S3KeyName.path(Self.key("meta-llama/Llama é"))
                == "/meta-llama/Llama%20%C3%A9%4002010201%400%40\(Self.hex)")
        #expect(FileKeyName.spelled(Self.key("m")) == "m@0x02010201@0@\(Self.hex).data")
    }

    @Test func parsesWhatItSpells() {
        for model in ["m", "a/b/c", "-SEP", "é.data"] {
            for group in [0, 1, 26, 1 << 40] {
                for salt in ["", "x", "0x01", "tenant B.data"] {
                    let key = Self.key(model, group: group, salt: salt)
                    #expect(FileKeyName.spelled(key).flatMap { FileKeyName.parsed($0) } == key)
                    #expect(NativeKeyName.parsed(NativeKeyName.spelled(key)) == key)
                }
            }
        }
    }

    @Test(arguments: [
        "", ".data", "m.data", "m@0x02010201@HASH.data", "m@0x02010201@0@HASH", "m@02010201@0@HASH.data",
        "m@0x0201020@0@HASH.data", "m@0x102010201@0@HASH.data", "@0x02010201@0@HASH.data", "m@0x02010201@@HASH.data",
        "m@0x02010201@00@HASH.data", "m@0x02010201@1A@HASH.data", "m@0x02010201@0@HASH0.data",
        "m@0x02010201@0@HASH@.data", "m@0x02010201@0@HASH@s@t.data", "m@0x02010201@fffffffffffffffff@HASH.data",
        "m@0x02010201@0@HASH@a/b.data", "m@0x02010201@HASH@salt.data", "m@0x0201020g@0@HASH.data",
    ])
    func ignoresForeignFiles(_ pattern: String) {
        let name = pattern.split(separator: "HASH", omittingEmptySubsequences: false).joined(separator: Self.hex)
        #expect(FileKeyName.parsed(name) == nil)
    }

    @Test func refusesKeysWhoseFileCouldBeAnotherKeys() {
        #expect(FileKeyName.spelled(Self.key("a-SEP-b")) == nil)
        #expect(FileKeyName.spelled(Self.key("a@b")) == nil)
        #expect(FileKeyName.spelled(Self.key("a\0b")) == nil)
        #expect(FileKeyName.spelled(Self.key("")) == nil)
        #expect(FileKeyName.spelled(Self.key("m", group: -1)) == nil)
        for salt in ["a@b", "../x", "a\\b", "\0", String(repeating: "s", count: 129)] {
            #expect(FileKeyName.spelled(Self.key("m", salt: salt)) == nil)
        }
        #expect(FileKeyName.spelled(Self.key(String(repeating: "m", count: 200))) == nil)
    }
}
