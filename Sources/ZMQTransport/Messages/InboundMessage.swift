// lmcache · SPDX-License-Identifier: Apache-2.0

package import KVModel

/// One message of one client, as it came off the socket.
///
/// Nothing in it was checked.
package struct InboundMessage: Sendable {
    /// Who sent it.
    package let connection: ConnectionID
    /// The client's frames in order, without the identity frame.
    ///
    /// May be empty; a frame may be empty.
    package let frames: [[UInt8]]
    /// Whether it may have waited while the server stood still, so that its sender has given it up.
    package internal(set) var isStale: Bool

    /// Wraps a connection and its frames.
    package init(connection: ConnectionID, frames: [[UInt8]], isStale: Bool = false) {
        self.connection = connection
        self.frames = frames
        self.isStale = isStale
    }
}
