// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import L2Storage
import Synchronization
import Testing

extension L2ConformanceSuite {
    @Sendable static func accountsForWhatIsStored(_ adapter: any L2Adapter) {
        defer { #expect(adapter.close(milliseconds: 10_000)) }
        let objects = ["", "a", "a", "b"].enumerated().map { index, salt in
            L2Object(key: key(UInt64(index), salt: salt), buffer: L2Buffer(byteCount: 4096 * (index + 1)))
        }
        #expect(adapter.perform(.store(objects)).haveAllSucceeded)
        let usage = adapter.usage()
        #expect(usage.objectCount == 4)
        #expect(usage.usedBytes == 40_960)
        #expect(usage.bytesBySalt == ["": 4096, "a": 20_480, "b": 16_384])
        #expect(adapter.perform(.delete([objects[1].key, objects[3].key])).haveAllSucceeded)
        #expect(adapter.usage().bytesBySalt == ["": 4096, "a": 12_288])
        #expect(adapter.usage().usedBytes == 16_384)
    }

    @Sendable static func listsEachKeyOnce(_ adapter: any L2Adapter) {
        defer { #expect(adapter.close(milliseconds: 10_000)) }
        let models = ["a", "b/c"]
        let objects = (0..<25).map { number in
            L2Object(key: key(number, model: models[Int(number % 2)]), buffer: L2Buffer(byteCount: 10))
        }
        #expect(adapter.perform(.store(objects)).haveAllSucceeded)
        for model in [nil, "a", "b/c", "none"] {
            let wanted = objects.map(\.key).filter { model == nil || $0.modelName == model }
            var found: [ObjectKey] = []
            var query = L2ListQuery(modelName: model, limit: 7)
            repeat {
                guard case .success(let page) = adapter.page(query) else {
                    Issue.record("a page of an open adapter")
                    return
                }
                #expect(page.keys.count <= 7)
                found += page.keys
                query.cursor = page.next
            } while query.cursor != nil
            #expect(found.count == wanted.count)
            #expect(Set(found) == Set(wanted))
        }
    }

    @Sendable static func letsGoOfBuffers(_ adapter: any L2Adapter) {
        let counter = ReleaseCounter()
        for number in 0..<4 {
            let area = UnsafeMutableRawBufferPointer.allocate(byteCount: 64, alignment: 64)
            area.initializeMemory(as: UInt8.self, repeating: 1)
            nonisolated(unsafe) let owned = area
            let buffer = L2Buffer(area) {
                owned.deallocate()
                counter.add()
            }
            #expect(adapter.perform(.store([L2Object(key: key(UInt64(number)), buffer: buffer)])).count == 1)
        }
        // The threads are gone after a close, and with them every reference.
        #expect(adapter.close(milliseconds: 10_000))
        #expect(counter.count == 4)
    }

    @Sendable static func refusesAfterClose(_ adapter: any L2Adapter) {
        #expect(adapter.close(milliseconds: 10_000))
        let object = L2Object(key: key(1), buffer: L2Buffer(byteCount: 8))
        #expect(adapter.perform(.store([object])) == [.failed(.closed)])
        #expect(adapter.page(L2ListQuery()) == .failure(.closed))
        #expect(adapter.close(milliseconds: 10_000))
    }

    @Sendable static func expiresAtOnceWhatIsOverdue(_ adapter: any L2Adapter) {
        defer { #expect(adapter.close(milliseconds: 10_000)) }
        let object = L2Object(key: key(1), buffer: L2Buffer(byteCount: 8))
        let past = L2Instant(nanoseconds: 0)
        #expect(adapter.perform(.store([object, object]), deadline: past) == [.failed(.expired), .failed(.expired)])
        #expect(adapter.usage().objectCount == 0)
        #expect(adapter.perform(.lookup([L2Probe(key: object.key, byteCount: 8)])) == [.miss(.absent)])
    }

    @Sendable static func takesAnEmptyBatch(_ adapter: any L2Adapter) {
        defer { #expect(adapter.close(milliseconds: 10_000)) }
        #expect(adapter.perform(.load([])) == [])
    }
}

/// Counts calls from any thread.
package final class ReleaseCounter: Sendable {
    private let value = Mutex(0)

    package init() {}

    package var count: Int { self.value.withLock { $0 } }

    package func add() { self.value.withLock { $0 += 1 } }
}
