// lmcache · SPDX-License-Identifier: Apache-2.0

extension ObjectTable {
    /// Takes visible objects out of the index whatever pins them; stale handles are passed over. Their bytes stay until
    /// their holders end.
    mutating func discard(_ handles: [ObjectHandle]) -> [EvictedObject] {
        var evicted: [EvictedObject] = []
        for handle in handles {
            guard let index = self.resolve(handle), self.objects[Int(index)].phase == .resident else { continue }
            self.record(index, reason: .cleared, into: &evicted)
            self.detach(index)
        }
        return evicted
    }
}
