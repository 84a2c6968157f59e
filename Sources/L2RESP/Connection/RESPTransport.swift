// lmcache · SPDX-License-Identifier: Apache-2.0

/// Moves bytes over one connection without waiting. One thread at a time.
protocol RESPTransport: AnyObject {
    /// What to wait for with poll(2).
    var descriptor: Int32 { get }

    /// Reads into an area that is not empty.
    func read(into area: UnsafeMutableRawBufferPointer) throws(RESPConnectionError) -> RESPMove

    /// Writes from an area that is not empty; `isMoreComing` when another write follows at once.
    func write(_ area: UnsafeRawBufferPointer, isMoreComing: Bool) throws(RESPConnectionError) -> RESPMove

    /// Says before a wait that at least so many bytes are to come, so that not every few of them need to wake the thread.
    func expect(_ byteCount: Int)
}

extension RESPTransport {
    func expect(_ byteCount: Int) {}
}

/// What a read or a write came to.
enum RESPMove: Equatable, Sendable {
    case moved(Int)
    /// Nothing now; try again once the socket is readable.
    case needsReadable
    /// Nothing now; try again once the socket is writable.
    case needsWritable

    var byteCount: Int {
        guard case .moved(let count) = self else { return 0 }
        return count
    }
}
