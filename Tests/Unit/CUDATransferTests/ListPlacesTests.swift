// lmcache · SPDX-License-Identifier: Apache-2.0

import Testing

@testable import CUDATransfer

@Suite struct ListPlacesTests {
    @Test(arguments: 1...60) func placesNeverOverlap(_ seed: UInt64) {
        var random = SeededRandom(seed)
        let capacity = Int.random(in: 1...40, using: &random)
        let limit = Int.random(in: 1...6, using: &random)
        var places = ListPlaces(capacity: capacity, limit: limit)
        var taken: [ListPlaces.Place] = []
        for _ in 0..<400 {
            if Int.random(in: 0..<3, using: &random) == 0 {
                #expect(places.giveBack() == (taken.isEmpty ? nil : taken.removeFirst()))
                continue
            }
            let count = Int.random(in: 1...capacity, using: &random)
            guard let place = places.take(count) else {
                #expect(!taken.isEmpty, "an empty ring takes everything")
                continue
            }
            #expect(place.count == count && place.start >= 0 && place.start + count <= capacity)
            #expect(place.number < limit && taken.count < limit)
            for other in taken {
                #expect(other.number != place.number)
                #expect(other.start + other.count <= place.start || place.start + count <= other.start)
            }
            taken.append(place)
        }
    }

    @Test func smallListsFillTheRing() {
        var places = ListPlaces(capacity: 10, limit: 4)
        #expect(places.take(4)?.start == 0)
        #expect(places.take(4)?.start == 4)
        #expect(places.take(3) == nil)
        #expect(places.take(2)?.start == 8)
        #expect(places.take(1) == nil)
        #expect(places.giveBack()?.start == 0)
        #expect(places.take(4)?.start == 0)
        #expect(places.take(1) == nil)
    }
}
