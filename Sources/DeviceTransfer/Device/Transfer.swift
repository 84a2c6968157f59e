// lmcache · SPDX-License-Identifier: Apache-2.0

/// One store or retrieve: objects of the arena and the engine's blocks that they mirror.
package struct Transfer: Sendable {
    package enum Direction: Sendable {
        /// Engine to arena.
        case store
        /// Arena to engine.
        case load
    }

    package let direction: Direction
    /// Copied in this order. May be empty: then only the events happen.
    package let objects: [ObjectCopy]
    /// A block id that a load never writes: the engine's placeholder.
    package let protectedBlockID: Int32?
    /// The engine's event handle; opaque on the CPU.
    package let event: [UInt8]
    /// Called once on the device's thread, with our completion event's handle, or with the reason why nothing was
    /// enqueued. On the CPU the copy is already finished then.
    package let enqueued: @Sendable (Result<[UInt8], TransferFailure>) -> Void
    /// Called once on the device's thread: true when every byte is in place. On the CPU it comes before `enqueued`.
    ///
    /// After false, a store's arena ranges hold undefined bytes that nobody writes any more.
    package let completed: @Sendable (Bool) -> Void

    package init(
        direction: Direction, objects: [ObjectCopy], protectedBlockID: Int32? = nil, event: [UInt8],
        enqueued: @escaping @Sendable (Result<[UInt8], TransferFailure>) -> Void,
        completed: @escaping @Sendable (Bool) -> Void
    ) {
        self.direction = direction
        self.objects = objects
        self.protectedBlockID = protectedBlockID
        self.event = event
        self.enqueued = enqueued
        self.completed = completed
    }
}

/// One object of a transfer.
package struct ObjectCopy: Sendable {
    package let objectGroup: Int
    /// Exactly the object layout's byte count long.
    package let place: ArenaRange
    /// For each kernel group of the object group, in its order: all `blocksPerChunk` block ids of this one chunk, also
    /// where a window below one chunk copies only the last of them.
    package let blockIDs: [ArraySlice<Int32>]
    /// For each kernel group: leading blocks of the chunk that a load leaves alone. Empty for none; ignored by stores.
    package let skipBlocks: [Int]

    package init(objectGroup: Int, place: ArenaRange, blockIDs: [ArraySlice<Int32>], skipBlocks: [Int] = []) {
        self.objectGroup = objectGroup
        self.place = place
        self.blockIDs = blockIDs
        self.skipBlocks = skipBlocks
    }
}

/// Why a transfer did not run.
package enum TransferFailure: Error, Equatable, CustomStringConvertible {
    case noSuchObjectGroup(Int)
    /// The block-id lists or skip counts do not fit the object group.
    case wrongBlockCount(objectGroup: Int)
    case blockOutOfRange(id: Int, blockCount: Int)
    /// The place lies outside the arena or has another size than the object.
    case wrongPlace(ArenaRange, expectedByteCount: Int)
    /// The engine's segment became smaller than its registration says.
    case engineMemoryShrunk(name: String)
    /// There is no memory left for pages of the engine's segment that it never wrote.
    case engineMemoryNotBacked
    /// The process was stopped while the transfer waited or ran; its engine has given it up.
    case stalled
    case closed
    /// The device or its driver failed; the text names the call.
    case device(String)

    package var description: String {
        switch self {
        case .noSuchObjectGroup(let group): "object group \(group) does not exist"
        case .wrongBlockCount(let group): "object group \(group) got block lists that do not fit its kernel groups"
        case .blockOutOfRange(let id, let count): "block id \(id) is outside 0 ..< \(count)"
        case .wrongPlace(let place, let expected):
            "arena range at \(place.offset) with \(place.byteCount) bytes, object has \(expected)"
        case .engineMemoryShrunk(let name): "shared memory \(name) became smaller than it was registered"
        case .engineMemoryNotBacked: "the system has no memory left for blocks that the engine never wrote"
        case .stalled: "the server stood still while the transfer waited or ran"
        case .closed: "the registration's memory is closed"
        case .device(let text): text
        }
    }
}
