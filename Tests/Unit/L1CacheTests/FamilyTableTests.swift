// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import Testing

@testable import L1Cache

@Suite struct FamilyTableTests {
    static let seeds: (UInt64, UInt64) = (0x1234_5678_9ABC_DEF1, 0x0FED_CBA9_8765_4321)

    private func key(_ number: Int, collides: Bool) -> FamilyKey {
        // A first word equal to the seed makes every product zero: all keys share one bucket.
        let first = collides ? Self.seeds.0 : UInt64(number) &* 0x9E37_79B9_7F4A_7C15
        return FamilyKey(
            namespace: NamespaceID(UInt32(number % 3)),
            worldSize: UInt8(1 + number % 2),
            hash: ChunkHash(words: (first, UInt64(number), 0, 0))
        )
    }

    @Test(arguments: [(false, 400), (true, 60)])
    func randomHistoriesMatchADictionaryAndAnOrderedList(_ collides: Bool, _ keyCount: Int) {
        var random = SeededGenerator(11)
        var table = FamilyTable(seeds: Self.seeds)
        var known: [Int: FamilyTable.Index] = [:]
        var order: [Int] = []
        for _ in 0..<20000 {
            let number = random.below(keyCount)
            let key = self.key(number, collides: collides)
            switch random.below(5) {
            case 0, 1:
                let index = table.findOrInsert(key)
                #expect(known[number] == nil || known[number] == index)
                known[number] = index
            case 2:
                guard let index = known[number] else { break }
                table.markNewest(index)
                order.removeAll { $0 == number }
                order.append(number)
            case 3:
                guard let index = known[number] else { break }
                table.unlist(index)
                order.removeAll { $0 == number }
            default:
                guard let index = known.removeValue(forKey: number) else { break }
                table.remove(index)
                order.removeAll { $0 == number }
            }
            #expect(table.find(key) == known[number])
            #expect(table.count == known.count)
        }
        #expect((0..<keyCount).allSatisfy { table.find(self.key($0, collides: collides)) == known[$0] })
        #expect(Set(table.indices) == Set(known.values))
        var listed: [Int] = []
        var index = table.oldest
        while index != FamilyTable.none {
            listed.append(Int(table[index].key.hash.words.1))
            index = table[index].newer
        }
        #expect(listed == order)
    }

    @Test func keysDifferByNamespaceWorldSizeAndHash() {
        var table = FamilyTable(seeds: Self.seeds)
        let base = FamilyKey(namespace: NamespaceID(0), worldSize: 1, hash: hash(1))
        let first = table.findOrInsert(base)
        var others = [base, base, base]
        others[0].namespace = NamespaceID(1)
        others[1].worldSize = 2
        others[2].hash = hash(2)
        for other in others {
            #expect(table.find(other) == nil)
            let inserted = table.findOrInsert(other)
            #expect(inserted != first)
        }
        #expect(table.count == 4)
    }

    @Test func aPinnedFamilyIsNotListed() {
        var table = FamilyTable(seeds: Self.seeds)
        let index = table.findOrInsert(FamilyKey(namespace: NamespaceID(0), worldSize: 1, hash: hash(1)))
        table[index].pinnedCount = 1
        table.markNewest(index)
        #expect(table.oldest == FamilyTable.none)
        table[index].pinnedCount = 0
        table.markNewest(index)
        #expect(table.oldest == index && table.newest == index)
    }
}
