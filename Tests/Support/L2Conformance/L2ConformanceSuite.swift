// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel
package import L2Storage
import Testing

/// What every second-tier adapter does, as functions that a test calls with an adapter of its own, empty and open.
package enum L2ConformanceSuite {
    package typealias Check = @Sendable (any L2Adapter) -> Void

    /// Every check by name; each wants a new adapter and leaves it closed.
    package static let checks: [(name: String, run: Check)] = [
        ("storesAndLoadsEqualBytes", Self.storesAndLoadsEqualBytes),
        ("keepsKeysApart", Self.keepsKeysApart),
        ("answersEachKeyByItself", Self.answersEachKeyByItself),
        ("missesAnotherLength", Self.missesAnotherLength),
        ("replacesAnObjectOfAnotherLength", Self.replacesAnObjectOfAnotherLength),
        ("keepsTheFirstOfTwoStores", Self.keepsTheFirstOfTwoStores),
        ("accountsForWhatIsStored", Self.accountsForWhatIsStored),
        ("listsEachKeyOnce", Self.listsEachKeyOnce),
        ("letsGoOfBuffers", Self.letsGoOfBuffers),
        ("refusesAfterClose", Self.refusesAfterClose),
        ("expiresAtOnceWhatIsOverdue", Self.expiresAtOnceWhatIsOverdue),
        ("takesAnEmptyBatch", Self.takesAnEmptyBatch),
    ]

    /// A key that differs from others by `number`.
    package static func key(
        _ number: UInt64, model: String = "org/model", rank: Int = 0, group: Int = 0, salt: String = ""
    ) -> ObjectKey {
        ObjectKey(
            chunkHash: ChunkHash(words: (number, 2, 3, 4)), modelName: model, kvRank: KVRank(worldSize: 2, rank: rank),
            objectGroup: group, cacheSalt: salt)
    }

    /// Bytes that depend on `seed` and on their place.
    package static func content(_ byteCount: Int, seed: Int) -> [UInt8] {
        (0..<byteCount).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ seed &* 7 &+ $0 >> 8) }
    }

    @Sendable static func storesAndLoadsEqualBytes(_ adapter: any L2Adapter) {
        defer { close(adapter) }
        let sizes = [1, 511, 4095, 4096, 4097, 5000, 65_536, (1 << 20) + 12_345]
        let stored = sizes.enumerated().map { index, size in
            L2Object(key: self.key(UInt64(index)), buffer: L2Buffer(copying: self.content(size, seed: index)))
        }
        let expected = sizes.map { L2Result.done(byteCount: $0) }
        #expect(adapter.perform(.store(stored)) == expected)
        #expect(adapter.perform(.lookup(stored.map { probe($0) })) == expected)
        let loaded = stored.map { L2Object(key: $0.key, buffer: L2Buffer(byteCount: $0.buffer.byteCount)) }
        #expect(adapter.perform(.load(loaded)) == expected)
        for (one, other) in zip(stored, loaded) { expectContent(one.buffer.content, equals: other.buffer.content) }
    }

    @Sendable static func keepsKeysApart(_ adapter: any L2Adapter) {
        defer { close(adapter) }
        let keys = [
            key(1), key(2), key(1, rank: 1), key(1, group: 1), key(1, group: 26), key(1, salt: "a"),
            key(1, salt: "A"), key(1, model: "org-model"), key(1, model: "Org/model"), key(1, salt: "tenant é 1"),
        ]
        for (index, key) in keys.enumerated() {
            let object = L2Object(key: key, buffer: L2Buffer(copying: content(100, seed: index)))
            #expect(adapter.perform(.store([object])) == [.done(byteCount: 100)])
        }
        for (index, key) in keys.enumerated() {
            let object = L2Object(key: key, buffer: L2Buffer(byteCount: 100))
            #expect(adapter.perform(.load([object])) == [.done(byteCount: 100)])
            expectContent(object.buffer.content, equals: content(100, seed: index))
        }
    }

    @Sendable static func answersEachKeyByItself(_ adapter: any L2Adapter) {
        defer { close(adapter) }
        let objects = (0..<6).map { L2Object(key: key($0), buffer: L2Buffer(copying: content(64, seed: Int($0)))) }
        let even = objects.indices.filter { $0.isMultiple(of: 2) }.map { objects[$0] }
        #expect(adapter.perform(.store(even)).haveAllSucceeded)
        let expected = objects.indices.map { $0.isMultiple(of: 2) ? L2Result.done(byteCount: 64) : .miss(.absent) }
        #expect(adapter.perform(.lookup(objects.map { probe($0) })) == expected)
        let blank = objects.map { L2Object(key: $0.key, buffer: L2Buffer(byteCount: 64)) }
        #expect(adapter.perform(.load(blank)) == expected)
        #expect(adapter.perform(.delete(objects.map(\.key))) == expected)
        #expect(adapter.perform(.delete(objects.map(\.key))) == objects.map { _ in .miss(.absent) })
        #expect(adapter.perform(.lookup(objects.map { probe($0) })) == objects.map { _ in .miss(.absent) })
    }

    @Sendable static func missesAnotherLength(_ adapter: any L2Adapter) {
        defer { close(adapter) }
        let object = L2Object(key: key(1), buffer: L2Buffer(copying: content(10_000, seed: 1)))
        #expect(adapter.perform(.store([object])) == [.done(byteCount: 10_000)])
        for other in [1, 9_999, 10_001, 20_000] {
            let blank = L2Object(key: key(1), buffer: L2Buffer(byteCount: other))
            #expect(adapter.perform(.lookup([probe(blank)])) == [.miss(.wrongLength(found: 10_000))])
            #expect(adapter.perform(.load([blank])) == [.miss(.wrongLength(found: 10_000))])
        }
        #expect(adapter.counters().mismatched == 8)
    }

    @Sendable static func replacesAnObjectOfAnotherLength(_ adapter: any L2Adapter) {
        defer { close(adapter) }
        let short = L2Object(key: key(1, salt: "s"), buffer: L2Buffer(copying: content(5_000, seed: 1)))
        let long = L2Object(key: key(1, salt: "s"), buffer: L2Buffer(copying: content(50_000, seed: 2)))
        #expect(adapter.perform(.store([short])) == [.done(byteCount: 5_000)])
        #expect(adapter.perform(.store([long])) == [.done(byteCount: 50_000)])
        let blank = L2Object(key: key(1, salt: "s"), buffer: L2Buffer(byteCount: 50_000))
        #expect(adapter.perform(.load([blank])) == [.done(byteCount: 50_000)])
        expectContent(blank.buffer.content, equals: long.buffer.content)
        #expect(adapter.usage().objectCount == 1)
    }

    @Sendable static func keepsTheFirstOfTwoStores(_ adapter: any L2Adapter) {
        defer { close(adapter) }
        let first = L2Object(key: key(1), buffer: L2Buffer(copying: content(300, seed: 1)))
        #expect(adapter.perform(.store([first])) == [.done(byteCount: 300)])
        #expect(adapter.perform(.store([first])) == [.present(byteCount: 300)])
        #expect(adapter.usage().objectCount == 1)
        #expect(adapter.counters().storedBytes == 300)
    }

    private static func probe(_ object: L2Object) -> L2Probe {
        L2Probe(key: object.key, byteCount: object.buffer.byteCount)
    }

    private static func close(_ adapter: any L2Adapter) {
        #expect(adapter.close(milliseconds: 10_000))
    }
}
