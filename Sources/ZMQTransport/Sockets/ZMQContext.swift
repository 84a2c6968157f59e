// lmcache · SPDX-License-Identifier: Apache-2.0

import CZeroMQ
import Glibc
import Synchronization

/// A libzmq context: one I/O thread and the sockets that use it.
///
/// Any thread may open sockets in it.
final class ZMQContext: @unchecked Sendable {  // a libzmq context is thread-safe by its own locks
    private let handle: UnsafeMutableRawPointer
    private let isTerminated = Atomic(false)

    init() throws(TransportError) {
        guard let handle = zmq_ctx_new() else { throw .system(call: "zmq_ctx_new", reason: ZMQFault.last.text) }
        self.handle = handle
    }

    deinit { self.terminate() }

    /// Waits until every socket is closed and its linger time is over.
    ///
    /// No socket may be opened afterwards.
    func terminate() {
        guard !self.isTerminated.exchange(true, ordering: .relaxed) else { return }
        while zmq_ctx_term(self.handle) != 0, zmq_errno() == EINTR {}
    }

    func openSocket(_ type: Int32) throws(TransportError) -> ZMQSocket {
        guard let socket = zmq_socket(self.handle, type) else {
            throw .system(call: "zmq_socket", reason: ZMQFault.last.text)
        }
        return ZMQSocket(handle: socket, context: self)
    }
}
