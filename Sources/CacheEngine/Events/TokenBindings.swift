// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel

/// Tokens and parents of recently stored chunks, by chunk hash; the least recently bound chunk is forgotten first.
///
/// Every operation takes constant time. A hash names its tokens and all before them, so models share the table.
package struct TokenBindings: Sendable {
    /// What a chunk hash stands for.
    package struct Binding: Sendable {
        package let parent: ChunkHash?
        /// A view into the tokens of the store call that told them.
        package let tokens: ArraySlice<UInt32>
    }

    private struct Node {
        var hash: ChunkHash
        var binding: Binding
        var older: Int32
        var newer: Int32
    }

    private static let none: Int32 = -1

    /// Most chunks that are remembered.
    package let capacity: Int
    private var positions: [ChunkHash: Int32] = [:]
    private var nodes: [Node] = []
    private var oldest = Self.none
    private var newest = Self.none

    /// - Precondition: `capacity` is 0…2^31 - 1.
    package init(capacity: Int) {
        precondition(capacity >= 0 && capacity <= Int(Int32.max), "token bindings: capacity out of range")
        self.capacity = capacity
    }

    package var count: Int { self.positions.count }

    package subscript(hash: ChunkHash) -> Binding? {
        guard let position = self.positions[hash] else { return nil }
        return self.nodes[Int(position)].binding
    }

    /// Remembers a chunk as the newest one.
    package mutating func bind(_ hash: ChunkHash, parent: ChunkHash?, tokens: ArraySlice<UInt32>) {
        guard self.capacity > 0 else { return }
        let binding = Binding(parent: parent, tokens: tokens)
        let position: Int32
        if let known = self.positions[hash] {
            position = known
            self.unlink(position)
            self.nodes[Int(position)].binding = binding
        } else if self.nodes.count < self.capacity {
            position = Int32(self.nodes.count)
            self.nodes.append(Node(hash: hash, binding: binding, older: Self.none, newer: Self.none))
        } else {
            position = self.oldest
            self.unlink(position)
            self.positions[self.nodes[Int(position)].hash] = nil
            self.nodes[Int(position)].hash = hash
            self.nodes[Int(position)].binding = binding
        }
        self.positions[hash] = position
        self.appendAsNewest(position)
    }

    private mutating func unlink(_ position: Int32) {
        let node = self.nodes[Int(position)]
        if node.older == Self.none { self.oldest = node.newer } else { self.nodes[Int(node.older)].newer = node.newer }
        if node.newer == Self.none { self.newest = node.older } else { self.nodes[Int(node.newer)].older = node.older }
    }

    private mutating func appendAsNewest(_ position: Int32) {
        self.nodes[Int(position)].older = self.newest
        self.nodes[Int(position)].newer = Self.none
        if self.newest == Self.none { self.oldest = position } else { self.nodes[Int(self.newest)].newer = position }
        self.newest = position
    }
}
