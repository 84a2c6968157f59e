// lmcache · SPDX-License-Identifier: Apache-2.0

import CZeroMQ

/// An error number of libzmq, which shares the system's numbers and adds its own.
struct ZMQFault: Equatable {
    let number: Int32

    /// The error of the calling thread's last library call.
    static var last: ZMQFault { ZMQFault(number: zmq_errno()) }

    var text: String {
        guard let text = zmq_strerror(self.number) else { return "error \(self.number)" }
        return String(cString: text)
    }
}
