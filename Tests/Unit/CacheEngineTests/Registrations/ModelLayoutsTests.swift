// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import Testing

@testable import CacheEngine

@Suite struct ModelLayoutsTests {
    static func layout(_ type: ElementType, layers: Int = 4) throws -> ModelLayout {
        let part = ObjectLayout.Part(shape: [2, layers, 16, 64], elementType: type)
        return ModelLayout(groups: [try #require(ObjectLayout(parts: [part]))], windows: [.everything], chunkSize: 16)
    }

    static func worker(_ number: Int64) -> WorkerIdentity {
        WorkerIdentity(instance: InstanceID(number), mode: .serverDriven)
    }

    @Test func theLatestRemainingWorkerDecides() throws {
        let model = ModelLayouts.Model(name: "m", worldSize: 1)
        let (first, second) = (try Self.layout(.bfloat16), try Self.layout(.float16))
        var layouts = ModelLayouts()
        #expect(layouts[model] == nil)
        layouts.add(first, of: Self.worker(1), model: model)
        layouts.add(second, of: Self.worker(2), model: model)
        #expect(layouts[model] == second)
        layouts.remove(Self.worker(2), model: model)
        #expect(layouts[model] == first)
        layouts.remove(Self.worker(1), model: model)
        #expect(layouts[model] == nil)
    }

    @Test func oneWorkerCountsOnce() throws {
        let model = ModelLayouts.Model(name: "m", worldSize: 2)
        var layouts = ModelLayouts()
        layouts.add(try Self.layout(.float16), of: Self.worker(1), model: model)
        layouts.add(try Self.layout(.float32), of: Self.worker(1), model: model)
        layouts.remove(Self.worker(1), model: model)
        #expect(layouts[model] == nil)
    }

    /// The wire's keys do not name the element type; the signature must.
    @Test func elementTypesOfEqualSizeDiffer() throws {
        #expect(try Self.layout(.bfloat16).signature != Self.layout(.float16).signature)
    }

    /// Pipeline stages hold different numbers of layers of one model.
    @Test func layerCountsDoNotDiffer() throws {
        #expect(try Self.layout(.bfloat16, layers: 4).signature == Self.layout(.bfloat16, layers: 5).signature)
    }
}
