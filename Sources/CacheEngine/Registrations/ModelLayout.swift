// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel

/// How the objects of one model are cut: what a lookup must know without any worker at hand.
package struct ModelLayout: Sendable, Equatable {
    /// One an object group.
    package let windows: [PrefixWindow]
    /// See ``ObjectLayout/signature(of:windows:chunkSize:)``.
    package let signature: String
    /// Lengths of this worker's objects, one an object group.
    package let byteCounts: [Int]

    package init(groups: [ObjectLayout], windows: [PrefixWindow], chunkSize: Int) {
        self.windows = windows
        self.byteCounts = groups.map(\.byteCount)
        self.signature = ObjectLayout.signature(of: groups, windows: windows, chunkSize: chunkSize)
    }
}

/// The layouts of the models that have a registered worker.
package struct ModelLayouts: Sendable {
    package struct Model: Hashable, Sendable {
        package let name: String
        package let worldSize: Int

        package init(name: String, worldSize: Int) {
            self.name = name
            self.worldSize = worldSize
        }
    }

    private var entries: [Model: [(worker: WorkerIdentity, layout: ModelLayout)]] = [:]

    package init() {}

    /// The layout that the model's latest worker registered; nil while it has none.
    package subscript(model: Model) -> ModelLayout? { self.entries[model]?.last?.layout }

    /// For each object group the lengths that the model's workers of this layout register: pipeline stages differ.
    package func byteCounts(of model: Model) -> [[Int]] {
        guard let entries = self.entries[model], let layout = entries.last?.layout else { return [] }
        return layout.windows.indices.map { group in
            let counts = entries.filter { $0.layout.signature == layout.signature }.compactMap {
                $0.layout.byteCounts.indices.contains(group) ? $0.layout.byteCounts[group] : nil
            }
            return Set(counts).sorted()
        }
    }

    /// Takes a worker's layout, which from now on is its model's.
    package mutating func add(_ layout: ModelLayout, of worker: WorkerIdentity, model: Model) {
        self.entries[model, default: []].removeAll { $0.worker == worker }
        self.entries[model, default: []].append((worker, layout))
    }

    /// Forgets a worker. The model keeps the layout of its latest remaining one.
    package mutating func remove(_ worker: WorkerIdentity, model: Model) {
        self.entries[model]?.removeAll { $0.worker == worker }
        if self.entries[model]?.isEmpty == true { self.entries[model] = nil }
    }
}

/// A worker may be registered in both modes under one instance id.
package struct WorkerIdentity: Hashable, Sendable {
    package enum Mode: Hashable, Sendable {
        case serverDriven, engineDriven
    }

    package let instance: InstanceID
    package let mode: Mode

    package init(instance: InstanceID, mode: Mode) {
        self.instance = instance
        self.mode = mode
    }
}
