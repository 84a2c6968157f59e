// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import Testing

@Suite struct NamespaceTableTests {
    @Test func aPairKeepsItsNumber() {
        var table = NamespaceTable()
        let first = table.intern(Namespace(modelName: "m", cacheSalt: ""))
        let second = table.intern(Namespace(modelName: "m", cacheSalt: "s"))
        #expect(first != nil && second != nil && first != second)
        let again = table.intern(Namespace(modelName: "m", cacheSalt: ""))
        #expect(again == first)
        #expect(table.identifier(of: Namespace(modelName: "m", cacheSalt: "s")) == second)
        #expect(table.identifier(of: Namespace(modelName: "s", cacheSalt: "m")) == nil)
    }

    @Test func aNumberLeadsBackToItsPair() throws {
        var table = NamespaceTable()
        let pairs = (0..<20).map { Namespace(modelName: "model-\($0 % 4)", cacheSalt: "salt-\($0 / 4)") }
        for pair in pairs {
            let identifier = table.intern(pair)
            #expect(table[try #require(identifier)] == pair)
        }
    }

    @Test func aFullTableRefusesNewPairsOnly() {
        var table = NamespaceTable(limit: 2)
        let known = Namespace(modelName: "a", cacheSalt: "")
        let first = table.intern(known)
        _ = table.intern(Namespace(modelName: "b", cacheSalt: ""))
        let third = table.intern(Namespace(modelName: "c", cacheSalt: ""))
        let again = table.intern(known)
        #expect(third == nil && again == first)
    }
}

@Suite struct KVRankTests {
    @Test(arguments: [(1, 0, 0x0100_0100), (2, 1, 0x0201_0201), (8, 7, 0x0807_0807), (255, 254, 0xFFFE_FFFE)])
    func packsWorldSizeAndRankTwice(_ worldSize: Int, _ rank: Int, _ packed: UInt32) {
        #expect(KVRank(worldSize: worldSize, rank: rank).rawValue == packed)
    }

    @Test func noTwoShardsShareANumber() {
        var seen: Set<KVRank> = []
        for worldSize in 1...KVRank.worldSizeLimit {
            for rank in 0..<worldSize {
                let (isNew, _) = seen.insert(KVRank(worldSize: worldSize, rank: rank))
                #expect(isNew)
            }
        }
    }
}

@Suite struct ObjectKeyTests {
    private func key(group: Int = 0, salt: String = "") -> ObjectKey {
        ObjectKey(
            chunkHash: ChunkHash(words: (0, 0, 0, 0x1F)),
            modelName: "my/model",
            kvRank: KVRank(worldSize: 2, rank: 1),
            objectGroup: group,
            cacheSalt: salt
        )
    }

    @Test func textHasTheDocumentedForm() {
        let hash = String(repeating: "0", count: 62) + "1f"
        #expect(self.key().description == "my/model@02010201@0@\(hash)")
        #expect(self.key(group: 26, salt: "tenant").description == "my/model@02010201@1a@\(hash)@tenant")
    }

    @Test func everyFieldTakesPartInEquality() {
        #expect(self.key() == self.key())
        #expect(self.key() != self.key(group: 1))
        #expect(self.key() != self.key(salt: "s"))
    }
}
