// lmcache · SPDX-License-Identifier: Apache-2.0

internal import L2Storage

/// Names of objects' files that one thread looks up in a row.
struct NameBatch: Sendable {
    private(set) var names: [ObjectIndex.Name] = []
    /// The files' names, each with a zero byte behind it.
    private(set) var texts: [UInt8] = []
    /// Where each file's name begins.
    private(set) var starts: [Int] = []

    private static let capacity = 4096

    var isFull: Bool { self.names.count >= Self.capacity }

    mutating func add(_ name: ObjectIndex.Name, text: [UInt8]) {
        self.names.append(name)
        self.starts.append(self.texts.count)
        self.texts += text
        self.texts.append(0)
    }
}
