// lmcache · SPDX-License-Identifier: Apache-2.0

import CZeroMQ
import Glibc

/// A `zmq_msg_t` at a fixed address, as the library wants it.
struct ZMQFrame: ~Copyable {
    let message: UnsafeMutablePointer<zmq_msg_t>

    /// An empty frame to receive into, again and again.
    init() {
        self.message = .allocate(capacity: 1)
        zmq_msg_init(self.message)
    }

    /// A frame whose bytes stay in `buffer`, which is released when the library is done with them.
    init(lending buffer: OutboundBuffer) {
        self.message = .allocate(capacity: 1)
        let hint = Unmanaged.passRetained(buffer).toOpaque()
        let result = zmq_msg_init_data(self.message, buffer.bytes, buffer.count, releaseOutboundBuffer, hint)
        precondition(result == 0, "zmq_msg_init_data fails only without memory")
    }

    deinit {
        zmq_msg_close(self.message)
        self.message.deallocate()
    }

    var count: Int { zmq_msg_size(self.message) }

    /// Whether more frames of the same message follow.
    var hasMore: Bool { zmq_msg_more(self.message) != 0 }

    /// The socket that the frame was read from; negative when the library does not know.
    var sourceDescriptor: Int32 { zmq_msg_get(self.message, ZMQ_SRCFD) }

    func copyBytes() -> [UInt8] {
        let count = self.count
        guard count > 0, let source = zmq_msg_data(self.message) else { return [] }
        return Array(unsafeUninitializedCapacity: count) { buffer, initialized in
            if let destination = buffer.baseAddress {
                memcpy(destination, source, count)
                initialized = count
            }
        }
    }
}

private func releaseOutboundBuffer(_ data: UnsafeMutableRawPointer?, _ hint: UnsafeMutableRawPointer?) {
    guard let hint else { return }
    Unmanaged<OutboundBuffer>.fromOpaque(hint).release()
}
