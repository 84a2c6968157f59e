// lmcache · SPDX-License-Identifier: Apache-2.0

/// A system call that failed.
struct SystemCallError: Error, Equatable {
    let call: String
    let errno: Int32
}

/// The system calls that the arena makes, so that tests can refuse the n-th one.
protocol ArenaSystem: Sendable {
    /// Makes a segment that must not exist yet, mode 0600.
    func createSegment(_ name: String) throws(SystemCallError) -> Int32
    /// Opens an existing segment.
    func openSegment(_ name: String) throws(SystemCallError) -> Int32
    /// Forgets a segment's name.
    func unlinkSegment(_ name: String) throws(SystemCallError)
    /// Takes the exclusive lock of a file without waiting; false when another process has it.
    func lock(_ descriptor: Int32) throws(SystemCallError) -> Bool
    func describe(_ descriptor: Int32) throws(SystemCallError) -> SegmentDescription
    /// Makes a file without a name.
    func createAnonymous(_ name: String) throws(SystemCallError) -> Int32
    func resize(_ descriptor: Int32, byteCount: Int) throws(SystemCallError)
    func map(_ descriptor: Int32, byteCount: Int) throws(SystemCallError) -> MappedMemory
    func unmap(_ memory: MappedMemory)
    /// Backs a range of the file with memory. After success, touching the range cannot fail.
    func allocate(_ descriptor: Int32, offset: Int, byteCount: Int) throws(SystemCallError)
    /// Enters a range into the page table ahead of use; best effort.
    func populate(_ memory: MappedMemory, offset: Int, byteCount: Int)
    func close(_ descriptor: Int32)
    /// Size of the file system that holds named segments, in bytes; nil when there is none.
    func segmentCapacity() -> Int?
    /// User of this process, and its number.
    var userID: UInt32 { get }
    var processID: Int32 { get }
}

/// What matters about an open segment.
struct SegmentDescription: Equatable {
    var owner: UInt32
    /// 0 once the name is gone.
    var linkCount: Int
    var isRegularFile: Bool
}

/// One mapping of this process.
struct MappedMemory: @unchecked Sendable {  // an address, not what lies there
    let base: UnsafeMutableRawPointer
    let byteCount: Int
}
