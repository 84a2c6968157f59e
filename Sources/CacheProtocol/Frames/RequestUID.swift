// lmcache · SPDX-License-Identifier: Apache-2.0

import MessagePack

/// The number that pairs a reply with its request on one connection.
///
/// Only clients read it: a server echoes the frame whatever it holds.
package enum RequestUID {
    package static func encode(_ number: UInt64) -> [UInt8] {
        encodedFrame { $0.write(number) }
    }

    /// Reads a frame, or nil when it is no number.
    package static func decode(frame: [UInt8]) -> UInt64? {
        var reader = MessagePackReader(frame)
        guard let number = try? reader.readInteger(as: UInt64.self), reader.remaining == 0 else { return nil }
        return number
    }
}
